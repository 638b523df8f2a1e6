#include "view/json_message.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "view/json_writer.hpp"

namespace cw::view {
namespace {

constexpr std::size_t names_and_numbers = 1024;

// Of the texts that are kept: by sixteen, which is cheaper than a call for so few. Both ends have
// room for fifteen more.
template <std::size_t N>
char* put_kept(char* at, const std::array<char, N>& text, std::size_t size) {
    static_assert(N % 16 == 0);
    for (std::size_t i = 0; i < size; i += 16) {
        std::memcpy(at + i, text.data() + i, 16);
    }
    return at + size;
}

char* put_index_or_null(char* at, std::uint32_t index) {
    return index == flow::none ? put(at, "null") : write_number(at, index);
}

std::string_view signed_word(const flow::Message& m) {
    return m.is_signed == 0   ? "no"
           : m.is_signed == 1 ? "good"
           : m.is_signed == 2 ? "bad"
                              : "unproven"; // it fits, and who signed is not known to be trusted
}
std::string_view sealed_word(const flow::Message& m) {
    constexpr std::array names{"no", "opened", "closed", "unreadable", "partly"};
    return names[std::min<std::size_t>(m.sealed, names.size() - 1)];
}

std::string_view call_id_of(const flow::Call& call, std::uint8_t leg) {
    return leg < call.legs.size() ? call.text(call.legs[leg].call_id) : std::string_view{};
}

char* put_text_or_null(char* at, const flow::Call& call, flow::Text text) {
    return text.length == 0 ? put(at, "null") : put_string(at, call.text(text));
}

char* put_smime(char* at, const flow::Call& call, const flow::Message& m) {
    at = put_string(put(at, ",\"smime\":{\"signed\":"), signed_word(m));
    at = put_string(put(at, ",\"encrypted\":"), sealed_word(m));
    at = put_string(put(at, ",\"badge\":"), call.text(m.badge));
    at = put_text_or_null(put(at, ",\"text\":"), call, m.words);
    return put(at, "}");
}

// What stands behind its size. Most messages have little of it.
char* put_rest(char* at, const flow::Call& call, const flow::Message& m) {
    if (m.connection == 0) {
        at = put(at, ",\"connection\":null,\"uri\":");
    } else {
        at = put(write_number(put(at, ",\"connection\":"), m.connection), ",\"uri\":");
    }
    at = put(put_text_or_null(at, call, m.request_uri), ",\"body_type\":");
    at = put_text_or_null(at, call, m.body_type);
    if (m.note.length == 0 && m.problem.length == 0 && !m.malformed && !m.truncated) {
        at = put(at, ",\"note\":null,\"malformed\":false,\"problem\":null,\"truncated\":false");
    } else {
        at = put_text_or_null(put(at, ",\"note\":"), call, m.note);
        at = put_bool(put(at, ",\"malformed\":"), m.malformed);
        at = put_text_or_null(put(at, ",\"problem\":"), call, m.problem);
        at = put_bool(put(at, ",\"truncated\":"), m.truncated);
    }
    if (m.is_signed != 0 || m.sealed != 0) {
        at = put_smime(at, call, m);
    }
    return put(at, "}");
}

} // namespace

MessageJson::MessageJson() {
    for (std::size_t i = 0; i < methods_.size(); ++i) {
        const auto name = to_string(static_cast<sip::Method>(i));
        auto& kept = methods_[i];
        if (!name.empty() && name.size() < kept.text.size()) {
            *std::copy(name.begin(), name.end(), kept.text.begin()) = '"';
            kept.size = static_cast<std::uint8_t>(name.size() + 1);
        }
    }
}

std::size_t MessageJson::most(const flow::Call& call, const flow::Message& m) {
    const auto call_id = m.leg < call.legs.size() ? call.legs[m.leg].call_id.length : 0;
    const auto texts = std::size_t{2} * m.method_text.length + call_id + m.reason.length +
                       m.request_uri.length + m.body_type.length + m.note.length +
                       m.problem.length + m.badge.length + m.words.length;
    return names_and_numbers + longest_escape * texts;
}

char* MessageJson::write(char* at, const flow::Call& call, std::uint32_t index) {
    const auto& m = call.messages[index];
    at = write_number(put(at, "{\"index\":"), index);
    at = write_number(put(at, ",\"frame\":"), m.frame);
    at = write_number(put(at, ",\"input\":"), m.input);
    at = put_time(put(at, ",\"time\":"), times_, m.time);
    at = put_path(at, m);
    at = put_what(at, call, m);
    at = write_number(put_leg(at, call, m), m.size);
    return put_rest(at, call, m);
}

char* MessageJson::put_path(char* at, const flow::Message& m) {
    const auto one = m.source.port ^ m.source.address.octets.back();
    const auto other = m.destination.port ^ m.destination.address.octets.back();
    auto& path = paths_[static_cast<unsigned>(one + one / 16 + 3 * other) % paths_.size()];
    if (path.size == 0 || path.source != m.source || path.destination != m.destination ||
        path.transport != m.transport) {
        path.source = m.source;
        path.destination = m.destination;
        path.transport = m.transport;
        auto* end = put_endpoint(put(path.text.data(), ",\"src\":"), m.source);
        end = put_endpoint(put(end, ",\"dst\":"), m.destination);
        end = put_word(put(end, ",\"transport\":"), to_string(m.transport));
        path.size = static_cast<std::uint8_t>(end - path.text.data());
    }
    return put_kept(at, path.text, path.size);
}

// Its method or its status, and its CSeq.
char* MessageJson::put_what(char* at, const flow::Call& call, const flow::Message& m) const {
    if (m.status != 0) {
        at = write_number(put(at, ",\"method\":null,\"status\":"), m.status);
        at = put_string(put(at, ",\"reason\":"), call.text(m.reason));
        at = write_number(put(at, ",\"cseq\":\""), m.cseq);
    } else {
        if (methods_[std::to_underlying(m.method)].size != 0) {
            at = put_method(put(at, ",\"method\":\""), m.method);
        } else {
            at = put_text_or_null(put(at, ",\"method\":"), call, m.method_text);
        }
        at = write_number(put(at, ",\"status\":null,\"reason\":null,\"cseq\":\""), m.cseq);
    }
    if (methods_[std::to_underlying(m.cseq_method)].size != 0) {
        *at++ = ' ';
        return put_method(at, m.cseq_method);
    }
    auto* const blank = at; // where the quote of the method stands
    at = put_string(at, call.text(m.method_text));
    *blank = ' ';
    return at;
}

char* MessageJson::put_method(char* at, sip::Method method) const {
    const auto& name = methods_[std::to_underlying(method)];
    std::memcpy(at, name.text.data(), name.text.size());
    return at + name.size;
}

char* MessageJson::put_leg(char* at, const flow::Call& call, const flow::Message& m) {
    auto& leg = legs_[m.leg % legs_.size()];
    if (leg.number == m.leg && m.is_first()) {
        return put_kept(at, leg.text, leg.size);
    }
    auto* const begin = at;
    at = put_string(put(at, ",\"call_id\":"), call_id_of(call, m.leg));
    at = put_index_or_null(put(at, ",\"retransmission_of\":"), m.retransmission_of);
    at = put_index_or_null(put(at, ",\"duplicate_of\":"), m.duplicate_of);
    at = put(write_number(put(at, ",\"leg\":"), m.leg), ",\"size\":");
    const auto size = static_cast<std::size_t>(at - begin);
    if (m.is_first() && size <= leg.text.size()) {
        std::copy(begin, at, leg.text.begin());
        leg.size = static_cast<std::uint8_t>(size);
        leg.number = m.leg;
    }
    return at;
}

} // namespace cw::view
