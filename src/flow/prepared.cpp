#include "flow/prepared.hpp"

namespace cw::flow {

bool Preparer::prepare(std::string_view bytes, PreparedMessage& out, std::string& texts) {
    const auto message = sip::index(bytes, headers_);
    out.is_message = message.has_value();
    if (!message) {
        return true;
    }
    auto& digest = out.digest;
    digest_head(*message, digest, texts_);
    if (digest.note.size() + digest.facts.size() > texts.capacity() - texts.size()) {
        return false;
    }
    for (auto* text : {&digest.note, &digest.facts}) {
        const auto at = texts.size();
        texts.append(*text);
        *text = std::string_view{texts}.substr(at);
    }
    return true;
}

} // namespace cw::flow
