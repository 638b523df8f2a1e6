#include "sip/params.hpp"

#include "base/text.hpp"

namespace cw::sip {

void ParamCursor::read_value(Param& param) {
    if (cursor_.peek() == '"') {
        if (const auto inside = cursor_.quoted()) {
            param.value = *inside;
            param.is_quoted = true;
            return;
        }
        note("a quoted parameter never ends");
    }
    param.value = cursor_.take(chars::ParamValue);
    if (param.value.empty()) {
        note("a parameter without its value");
    }
}

// Whatever else stands before the next separator belongs to this parameter, for want of a better
// reading.
void ParamCursor::skip_stray(Param& param) {
    note("a parameter with characters that may not stand in it");
    cursor_.take_until<';', ','>();
    if (param.has_value && !param.is_quoted) {
        const auto length = static_cast<std::size_t>(cursor_.at() - param.value.data());
        param.value = trim({param.value.data(), length});
    }
}

// No name where one should begin: to the next parameter, if one follows.
bool ParamCursor::skip_empty(Param& param) {
    note("an empty parameter");
    while (cursor_.eat_separator(';')) {
    }
    if (cursor_.done() || cursor_.peek() == ',') {
        return false;
    }
    param.name = cursor_.take(chars::Token);
    return true;
}

bool ParamCursor::next(Param& param) {
    if (!cursor_.eat_separator(';')) {
        return false;
    }
    param = {};
    param.name = cursor_.take(chars::Token);
    if (param.name.empty() && !skip_empty(param)) {
        return false;
    }
    if (cursor_.eat_separator('=')) {
        param.has_value = true;
        read_value(param);
    }
    const auto next = cursor_.peek();
    if (next == ';' || next == ',' || cursor_.done()) {
        return true;
    }
    cursor_.skip_white();
    if (!cursor_.done() && cursor_.peek() != ';' && cursor_.peek() != ',') {
        skip_stray(param);
    }
    return true;
}

namespace {

std::optional<std::string_view> find_with_cursor(std::string_view params, std::string_view name) {
    ParamCursor cursor{params};
    for (Param param; cursor.next(param);) {
        if (iequals(param.name, name)) {
            return param.value;
        }
    }
    return std::nullopt;
}

} // namespace

// From semicolon to semicolon, as long as there are no blanks and quotes.
std::optional<std::string_view> find_param(std::string_view params, std::string_view name) {
    const auto* at = params.data();
    const auto* end = at + params.size();
    while (at != end && *at == ';') {
        const auto* stop = find_first<';', '"', ',', ' ', '\t', '\r', '\n'>(at + 1, end);
        if (stop != end && *stop != ';') {
            break;
        }
        const std::string_view param{at + 1, stop};
        if (istarts_with(param, name)) {
            const auto rest = param.substr(name.size());
            if (rest.empty()) {
                return rest;
            }
            if (rest.front() == '=') {
                return rest.substr(1);
            }
            if (!chars::is(rest.front(), chars::Token)) {
                break;
            }
        }
        at = stop;
    }
    return find_with_cursor({at, end}, name);
}

std::string_view unquote(std::string_view inside, std::string& buffer) {
    if (inside.find('\\') == std::string_view::npos) {
        return inside;
    }
    buffer.clear();
    for (std::size_t i = 0; i < inside.size(); ++i) {
        if (inside[i] == '\\' && i + 1 < inside.size()) {
            ++i;
        }
        buffer.push_back(inside[i]);
    }
    return buffer;
}

} // namespace cw::sip
