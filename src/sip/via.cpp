#include "sip/via.hpp"

#include "base/text.hpp"
#include "sip/host.hpp"
#include "sip/params.hpp"

namespace cw::sip {
namespace {

void keep_param(Via& via, const Param& param) {
    if (chars::is_word(param.name, "branch")) {
        via.branch = param.value;
    } else if (chars::is_word(param.name, "rport")) {
        via.has_rport = true;
        via.rport = static_cast<std::uint16_t>(Cursor{param.value}.number(65'535).value_or(0));
    } else if (chars::is_word(param.name, "received")) {
        via.received = param.value;
    } else if (chars::is_word(param.name, "maddr")) {
        via.maddr = param.value;
    }
}

// Up to the parameters. What is wrong in words, or nullptr.
const char* read_sent_by(Cursor& cursor, Via& via) {
    cursor.skip_white();
    via.protocol = cursor.take(chars::Token);
    if (via.protocol.empty() || !cursor.eat_separator('/')) {
        return "Via without a protocol";
    }
    via.version = cursor.take(chars::Token);
    if (via.version.empty() || !cursor.eat_separator('/')) {
        return "Via without a protocol version";
    }
    via.transport = cursor.take(chars::Token);
    const auto* transport_end = cursor.at();
    cursor.skip_white();
    if (via.transport.empty() || cursor.at() == transport_end) {
        return "Via without a transport";
    }
    const auto host = parse_host_port(cursor, true);
    if (!host) {
        return host.error().what;
    }
    via.host = host->text;
    via.port = host->port;
    via.quirk = host->quirk;
    return nullptr;
}

const char* read_via(std::string_view text, Via& via) {
    Cursor cursor{text};
    if (const auto* wrong = read_sent_by(cursor, via); wrong != nullptr) {
        return wrong;
    }
    const auto tail = cursor.rest();
    ParamCursor params{tail};
    for (Param param; params.next(param);) {
        keep_param(via, param);
    }
    via.params = tail.substr(0, tail.size() - params.rest().size());
    via.quirk = via.quirk != nullptr ? via.quirk : params.quirk();
    Cursor after{params.rest()};
    after.skip_white();
    if (after.eat(',')) {
        via.more = true;
        via.rest = after.rest();
    } else if (!after.done()) {
        return "Via goes on after its parameters";
    }
    return nullptr;
}

} // namespace

bool Via::has_cookie() const {
    return istarts_with(branch, "z9hG4bK");
}

Result<Via> parse_via(std::string_view text) {
    Result<Via> result{std::in_place};
    if (const auto* wrong = read_via(text, *result); wrong != nullptr) {
        result = fail(Code::Malformed, 0, wrong);
    }
    return result;
}

Result<Via> parse_sent_by(std::string_view text) {
    Result<Via> result{std::in_place};
    Cursor cursor{text};
    if (const auto* wrong = read_sent_by(cursor, *result); wrong != nullptr) {
        result = fail(Code::Malformed, 0, wrong);
    }
    return result;
}

} // namespace cw::sip
