#include "script/literal/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/text.hpp"

namespace cw::script::literal {
namespace {

struct Named {
    std::string_view word;
    Key key;
};
constexpr auto keywords = std::to_array<Named>({
    {"service", Key::Service},
    {"remote_ip", Key::RemoteIp},
    {"server_ip", Key::LocalIp},
    {"remote_port", Key::RemotePort},
    {"transport", Key::Transport},
    {"local_ip", Key::LocalIp},
    {"local_ip_type", Key::LocalIpType},
    {"local_port", Key::LocalPort},
    {"media_ip", Key::MediaIp},
    {"media_ip_type", Key::MediaIpType},
    {"media_port", Key::MediaPort},
    {"auto_media_port", Key::MediaPort},
    {"rtpstream_audio_port", Key::MediaPort},
    {"rtpstream_video_port", Key::MediaPort},
    {"call_number", Key::CallNumber},
    {"dynamic_id", Key::DynamicId},
    {"call_id", Key::CallId},
    {"cseq", Key::Cseq},
    {"pid", Key::Pid},
    {"len", Key::Len},
    {"branch", Key::Branch},
    {"msg_index", Key::MsgIndex},
    {"clock_tick", Key::ClockTick},
    {"timestamp", Key::Timestamp},
    {"date", Key::Date},
    {"users", Key::UserId},
    {"userid", Key::UserId},
    {"last_message", Key::LastMessage},
    {"last_Request_URI", Key::LastRequestUri},
    {"last_cseq_number", Key::LastCseqNumber},
    {"last_cseq_method", Key::LastCseqMethod},
    {"peer_tag_param", Key::PeerTag},
    {"next_url", Key::NextUrl},
    {"routes", Key::Routes},
});

constexpr bool is_word(char c) {
    return is_alpha(c) || is_digit(c) || c == '_' || c == '-' || c == '.';
}

// file="x.csv" line=3: what `name` is.
std::string argument_of(std::string_view arguments, std::string_view name) {
    std::size_t at = arguments.find(name);
    while (at != std::string_view::npos && at > 0 && !is_blank(arguments[at - 1])) {
        at = arguments.find(name, at + 1);
    }
    if (at == std::string_view::npos) {
        return {};
    }
    auto value = trim(arguments.substr(at + name.size()));
    if (!value.starts_with('=')) {
        return {};
    }
    value = trim(value.substr(1));
    if (value.starts_with('"')) {
        value.remove_prefix(1);
        return std::string{value.substr(0, value.find('"'))};
    }
    return std::string{value.substr(0, value.find_first_of(" \t"))};
}

std::optional<Keyword> read_special(std::string_view inside) {
    const auto word = inside.substr(0, inside.find_first_of(" \t"));
    const auto rest = trim(inside.substr(word.size()));
    if (word.starts_with('$') && word.size() > 1 && rest.empty()) {
        return Keyword{Key::Variable, std::string{word.substr(1)}, 0, {}};
    }
    if (word == "authentication") {
        return Keyword{Key::Authentication, std::string{rest}, 0, {}};
    }
    if (word == "file") {
        auto name = argument_of(rest, "name");
        return Keyword{Key::File, name.empty() ? argument_of(rest, "file") : name, 0, {}};
    }
    if (word == "fill") {
        auto text = argument_of(rest, "text");
        return Keyword{Key::Fill, text.empty() ? "X" : text, 0, argument_of(rest, "variable")};
    }
    if (word.starts_with("field") && word.size() > 5) {
        if (const auto number = parse_number<std::uint16_t>(word.substr(5))) {
            return Keyword{Key::Field, argument_of(rest, "file"), *number,
                           argument_of(rest, "line")};
        }
    }
    if (istarts_with(word, "last_") && word.size() > 6 && rest.empty() &&
        (word.ends_with(':') || is_alpha(word[5])) &&
        std::ranges::all_of(word, [](char c) { return is_word(c) || c == ':'; })) {
        return Keyword{Key::Last, std::string{word.substr(5)}, 0, {}};
    }
    if (word.starts_with("crypto") && rest.empty()) {
        return Keyword{Key::Crypto, std::string{word}, 0, {}};
    }
    return std::nullopt;
}

// What stands between the brackets; nothing when that is no keyword.
std::optional<Keyword> read_keyword(std::string_view inside) {
    if (inside.empty() || inside.size() > 300) {
        return std::nullopt;
    }
    const auto sign = inside.find_first_of("+-");
    std::optional<std::int32_t> plus;
    if (sign != std::string_view::npos) {
        plus = parse_number<std::int32_t>(inside.substr(sign + 1));
        if (plus && (*plus < 0 || *plus > 1'000'000'000)) {
            return std::nullopt;
        }
    }
    const auto word = plus ? inside.substr(0, sign) : inside;
    for (const auto& known : keywords) {
        if (known.word == word) {
            return Keyword{known.key, {}, plus ? (inside[sign] == '-' ? -*plus : *plus) : 0, {}};
        }
    }
    if (auto special = read_special(inside)) {
        return special;
    }
    const bool name = is_alpha(inside[0]) && std::ranges::all_of(inside, is_word);
    return name ? std::optional{Keyword{Key::Custom, std::string{inside}, 0, {}}} : std::nullopt;
}

// "\x3C" → "<", as SIPp has it; a NUL is none of it.
std::string unescaped(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto at = text.find("\\x");
        out += text.substr(0, at);
        if (at == std::string_view::npos) {
            break;
        }
        unsigned value = 0;
        const auto* digits = text.data() + at + 2;
        const auto* end = text.data() + std::min(at + 4, text.size());
        const auto read = std::from_chars(digits, end, value, 16);
        const bool whole = read.ec == std::errc{} && read.ptr == digits + 2 && value != 0;
        out += whole ? std::string(1, static_cast<char>(value)) : "\\x";
        text.remove_prefix(at + (whole ? 4 : 2));
    }
    return out;
}

} // namespace

bool Text::has(Key key) const {
    return std::ranges::any_of(pieces, [&](const Piece& piece) {
        const auto* keyword = std::get_if<Keyword>(&piece);
        return keyword != nullptr && keyword->key == key;
    });
}

Text parse_text(std::string_view text) {
    Text out;
    std::string plain;
    const auto flush = [&] {
        if (!plain.empty()) {
            out.pieces.emplace_back(unescaped(std::exchange(plain, {})));
        }
    };
    while (!text.empty()) {
        const auto open = text.find('[');
        plain += text.substr(0, open);
        if (open == std::string_view::npos) {
            break;
        }
        text.remove_prefix(open);
        const auto end = text.find_first_of("[]", 1);
        const auto keyword = end != std::string_view::npos && text[end] == ']'
                                 ? read_keyword(text.substr(1, end - 1))
                                 : std::nullopt;
        if (!keyword && (text.starts_with("[authentication") || text.starts_with("[field"))) {
            // Its arguments may hold keywords of their own: the bracket that closes it counts.
            std::size_t depth = 0;
            std::size_t at = 0;
            for (; at < text.size(); ++at) {
                depth += text[at] == '[' ? 1 : 0;
                if (text[at] == ']' && --depth == 0) {
                    break;
                }
            }
            const auto nested =
                at < text.size() ? read_special(text.substr(1, at - 1)) : std::optional<Keyword>{};
            if (nested) {
                flush();
                out.pieces.emplace_back(*nested);
                text.remove_prefix(at + 1);
                continue;
            }
        }
        if (!keyword) {
            plain += '[';
            text.remove_prefix(1);
            continue;
        }
        flush();
        out.pieces.emplace_back(*keyword);
        text.remove_prefix(end + 1);
    }
    flush();
    return out;
}

} // namespace cw::script::literal
