#include "play/compare.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "sip/list.hpp"
#include "sip/params.hpp"

namespace cw::play {

using script::Template;
using sip::HeaderId;

namespace {

// Where the text of a template stands: within quotes and brackets nothing divides.
class Depth {
  public:
    // Is `c` a divider here?
    bool step(char c, char divider) {
        if (quoted_) {
            quoted_ = c != '"';
            return false;
        }
        quoted_ = c == '"';
        bracketed_ = c == '<' || (bracketed_ && c != '>');
        return c == divider && !bracketed_;
    }

  private:
    bool quoted_ = false;
    bool bracketed_ = false;
};

void push(Template& to, std::string_view literal) {
    if (!literal.empty()) {
        to.pieces.emplace_back(std::string{literal});
    }
}

// Blanks at both ends of a template do not count.
void trim_ends(Template& text) {
    if (text.pieces.empty()) {
        return;
    }
    if (auto* first = std::get_if<std::string>(&text.pieces.front())) {
        *first = first->substr(std::min(first->size(), first->find_first_not_of(" \t")));
    }
    if (auto* last = std::get_if<std::string>(&text.pieces.back())) {
        last->erase(last->find_last_not_of(" \t") + 1);
    }
    std::erase_if(text.pieces, [](const script::Piece& piece) {
        const auto* literal = std::get_if<std::string>(&piece);
        return literal != nullptr && literal->empty();
    });
}

std::vector<Template> split(const Template& text, char divider) {
    std::vector<Template> out(1);
    Depth depth;
    for (const auto& piece : text.pieces) {
        const auto* literal = std::get_if<std::string>(&piece);
        if (literal == nullptr) {
            out.back().pieces.push_back(piece);
            continue;
        }
        std::size_t begin = 0;
        for (std::size_t i = 0; i < literal->size(); ++i) {
            if (depth.step((*literal)[i], divider)) {
                push(out.back(), std::string_view{*literal}.substr(begin, i - begin));
                out.emplace_back();
                begin = i + 1;
            }
        }
        push(out.back(), std::string_view{*literal}.substr(begin));
    }
    for (auto& part : out) {
        trim_ends(part);
    }
    return out;
}

std::vector<std::string_view> split(std::string_view text, char divider) {
    std::vector<std::string_view> out;
    Depth depth;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (depth.step(text[i], divider)) {
            out.push_back(trim(text.substr(begin, i - begin)));
            begin = i + 1;
        }
    }
    out.push_back(trim(text.substr(begin)));
    return out;
}

// "Bob" <sip:bob@x> → <sip:bob@x>
std::string_view without_display_name(std::string_view base) {
    const auto at = base.find('<');
    return at != std::string_view::npos ? base.substr(at) : base;
}

bool begins_with_bracket(const Template& text) {
    const auto* literal =
        text.pieces.empty() ? nullptr : std::get_if<std::string>(&text.pieces.front());
    return literal != nullptr && literal->starts_with('<');
}

// Credentials and challenges divide their parameters by commas [RFC 3261 §25.1].
bool has_comma_params(HeaderId id) {
    return id == HeaderId::WwwAuthenticate || id == HeaderId::ProxyAuthenticate ||
           id == HeaderId::Authorization || id == HeaderId::ProxyAuthorization ||
           id == HeaderId::AuthenticationInfo;
}

// `Digest realm="x"` → `Digest` and `realm="x"`.
std::vector<std::string_view> credential_parts(std::string_view value) {
    auto parts = split(value, ',');
    const auto blank = parts.front().find_first_of(" \t");
    if (blank < parts.front().find('=')) {
        parts.insert(parts.begin() + 1, trim(parts.front().substr(blank)));
        parts.front() = parts.front().substr(0, blank);
    }
    return parts;
}
std::vector<Template> credential_parts(const Template& wanted) {
    auto parts = split(wanted, ',');
    auto& pieces = parts.front().pieces;
    const auto* literal = pieces.empty() ? nullptr : std::get_if<std::string>(&pieces.front());
    if (literal == nullptr) {
        return parts;
    }
    const auto blank = literal->find_first_of(" \t");
    if (blank < literal->find('=')) {
        auto first = parts.front();
        first.pieces.front() = literal->substr(blank);
        trim_ends(first);
        parts.front() = {{literal->substr(0, blank)}};
        parts.insert(parts.begin() + 1, std::move(first));
    }
    return parts;
}

bool has_param(std::string_view value, std::string_view name, bool commas) {
    const auto parts = commas ? credential_parts(value) : split(value, ';');
    const auto is = [&](std::string_view part) {
        return iequals(trim(part.substr(0, part.find('='))), name);
    };
    if (std::any_of(parts.begin() + (commas ? 0 : 1), parts.end(), is)) {
        return true;
    }
    // Within the brackets: a parameter of the URI.
    const auto base = without_display_name(parts.front());
    const auto end = base.find('>');
    if (!base.starts_with('<') || end == std::string_view::npos) {
        return false;
    }
    const auto inner = split(base.substr(1, end - 1), ';');
    return std::any_of(inner.begin() + 1, inner.end(), is);
}

bool fits_in_parts(const std::vector<Template>& asked, const std::vector<std::string_view>& parts,
                   Values& values, const Values::Where& where) {
    const bool base =
        values.match(asked.front(), parts.front(), where, true) ||
        (begins_with_bracket(asked.front()) &&
         values.match(asked.front(), without_display_name(parts.front()), where, true));
    return base && std::all_of(asked.begin() + 1, asked.end(), [&](const Template& param) {
               return std::any_of(parts.begin() + 1, parts.end(), [&](std::string_view part) {
                   return values.match(param, part, where, true);
               });
           });
}

bool fits(const script::Header& header, const Template& wanted, std::string_view value,
          Values& values, const Values::Where& where) {
    if (values.match(wanted, value, where, true)) {
        return true;
    }
    const bool commas = has_comma_params(header.id);
    const auto asked = commas ? credential_parts(wanted) : split(wanted, ';');
    const auto parts = commas ? credential_parts(value) : split(value, ';');
    // What is captured on the way to a difference must not stay.
    auto trial = values;
    return fits_in_parts(asked, parts, trial, where) && fits_in_parts(asked, parts, values, where);
}

std::vector<std::string> values_of(const script::Header& wanted, const sip::MessageView& message) {
    std::vector<std::string> out;
    std::string buffer;
    for (const auto& header : message.headers()) {
        const bool same = wanted.id != HeaderId::Other ? header.id == wanted.id
                                                       : iequals(header.name, wanted.name);
        if (same) {
            out.emplace_back(sip::unfold(header.value, buffer));
        }
    }
    return out;
}

std::string joined(const std::vector<std::string>& all) {
    std::string out;
    for (const auto& one : all) {
        out += (out.empty() ? "" : ", ") + one;
    }
    return out.empty() ? "(not there)" : out;
}

} // namespace

std::optional<Difference> compare(const script::Header& wanted, const sip::MessageView& message,
                                  Values& values, const Values::Where& where) {
    const auto fields = values_of(wanted, message);
    if (wanted.absent) {
        if (fields.empty()) {
            return std::nullopt;
        }
        return Difference{wanted.name, "(not there)", joined(fields)};
    }
    Difference difference{wanted.name, values.show(wanted.value, where), joined(fields)};
    const bool list = wanted.id != HeaderId::Other && sip::is_list(wanted.id);
    std::vector<std::string_view> items;
    for (const auto& field : fields) {
        if (list) {
            const auto parts = split(std::string_view{field}, ',');
            items.insert(items.end(), parts.begin(), parts.end());
        } else {
            items.push_back(field);
        }
    }
    for (const auto& one : list ? split(wanted.value, ',') : std::vector<Template>{wanted.value}) {
        const auto found = std::ranges::find_if(
            items, [&](std::string_view item) { return fits(wanted, one, item, values, where); });
        if (found == items.end()) {
            return difference;
        }
        for (const auto& param : wanted.without) {
            if (has_param(*found, param, has_comma_params(wanted.id))) {
                difference.expected += ", no " + param;
                return difference;
            }
        }
    }
    return std::nullopt;
}

std::optional<Difference> compare(const script::SdpLine& wanted, std::string_view sdp,
                                  Values& values, const Values::Where& where) {
    std::string seen;
    std::string_view rest = sdp;
    auto pattern = wanted.value;
    if (wanted.absent) { // "no a=crypto": whatever its value is
        pattern.pieces.emplace_back(script::Any{});
    }
    while (!rest.empty()) {
        const auto end = std::min(rest.find('\n'), rest.size());
        const auto line = trim(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (line.size() < 2 || line[0] != wanted.letter || line[1] != '=') {
            continue;
        }
        if (values.match(pattern, trim(line.substr(2)), where, false)) {
            if (wanted.absent) {
                return Difference{std::string{"SDP "} + wanted.letter + "=", "(not there)",
                                  std::string{line}};
            }
            return std::nullopt;
        }
        seen += (seen.empty() ? "" : ", ") + std::string{line};
    }
    if (wanted.absent) {
        return std::nullopt;
    }
    return Difference{std::string{"SDP "} + wanted.letter + "=",
                      std::string(1, wanted.letter) + "=" + values.show(wanted.value, where),
                      seen.empty() ? "(not there)" : seen};
}

} // namespace cw::play
