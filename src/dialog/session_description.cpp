#include "dialog/session_description.hpp"

#include <vector>

#include "base/text.hpp"

namespace cw::dialog {
namespace {

// The next line with its end; empty at the end of the text.
std::string_view take_line(std::string_view& text) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
    text.remove_prefix(line.size());
    return line;
}

bool is_direction(std::string_view line) {
    const auto bare = trim(line);
    return bare == "a=sendrecv" || bare == "a=sendonly" || bare == "a=recvonly" ||
           bare == "a=inactive";
}

std::string direction_line(sdp::Direction direction) {
    return "a=" + std::string{to_string(direction)} + "\r\n";
}

constexpr bool sends(sdp::Direction d) {
    return d == sdp::Direction::SendRecv || d == sdp::Direction::SendOnly;
}
constexpr bool receives(sdp::Direction d) {
    return d == sdp::Direction::SendRecv || d == sdp::Direction::RecvOnly;
}
constexpr sdp::Direction direction(bool send, bool receive) {
    return send ? (receive ? sdp::Direction::SendRecv : sdp::Direction::SendOnly)
                : (receive ? sdp::Direction::RecvOnly : sdp::Direction::Inactive);
}

// The text cut at its m= lines: the session's part first.
std::vector<std::string_view> sections(std::string_view text) {
    std::vector<std::string_view> out;
    const auto* from = text.data();
    for (auto rest = text; !rest.empty();) {
        const auto* at = rest.data();
        if (take_line(rest).starts_with("m=") && at != text.data()) {
            out.emplace_back(from, static_cast<std::size_t>(at - from));
            from = at;
        }
    }
    out.emplace_back(from, static_cast<std::size_t>(text.data() + text.size() - from));
    return out;
}

std::string media_with(std::string_view section, sdp::Direction direction) {
    std::string out;
    while (!section.empty()) {
        const auto line = take_line(section);
        if (!is_direction(line)) {
            out += line;
        }
    }
    if (!out.empty() && out.back() != '\n') {
        out += "\r\n";
    }
    return out + direction_line(direction);
}

std::string without_direction(std::string_view section) {
    std::string out;
    while (!section.empty()) {
        const auto line = take_line(section);
        if (!is_direction(line)) {
            out += line;
        }
    }
    return out;
}

// "m=audio 49170 RTP/AVP 0" → "m=audio 0 RTP/AVP 0", alone.
std::string refused_line(const sdp::Media& media) {
    std::string out{"m="};
    out += media.type;
    out += " 0 ";
    out += media.protocol;
    out += ' ';
    out += media.format_list;
    return out + "\r\n";
}

} // namespace

std::string next_version(std::string_view description) {
    std::string out;
    for (auto rest = description; !rest.empty();) {
        const auto line = take_line(rest);
        const auto name_end = line.find(' ');
        const auto id_end = line.find(' ', name_end + 1);
        if (!line.starts_with("o=") || name_end == std::string_view::npos ||
            id_end == std::string_view::npos) {
            out += line;
            continue;
        }
        const auto end = line.find(' ', id_end + 1);
        const auto number = parse_number<std::uint64_t>(
            line.substr(id_end + 1, end == std::string_view::npos ? end : end - id_end - 1));
        out += line.substr(0, id_end + 1);
        out += std::to_string(number.value_or(0) + 1);
        out += end == std::string_view::npos ? std::string_view{"\r\n"} : line.substr(end);
    }
    return out;
}

std::string with_direction(std::string_view description, sdp::Direction direction) {
    const auto parts = sections(description);
    auto out = without_direction(parts.front());
    for (std::size_t i = 1; i < parts.size(); ++i) {
        out += media_with(parts[i], direction);
    }
    return out;
}

sdp::Direction hold_direction(sdp::Direction now) {
    return direction(sends(now), false);
}

sdp::Direction answer_direction(sdp::Direction offered, sdp::Direction wanted) {
    return direction(sends(wanted) && receives(offered), receives(wanted) && sends(offered));
}

sdp::Direction direction_of(std::string_view description) {
    const auto session = sdp::parse(description);
    if (!session) {
        return sdp::Direction::SendRecv;
    }
    for (const auto& media : session->media) {
        if (media.port != 0) {
            return media.connection.address == "0.0.0.0" ? sdp::Direction::Inactive
                                                         : media.direction;
        }
    }
    return sdp::Direction::SendRecv;
}

std::string answer_to(std::string_view offer, std::string_view local) {
    const auto offered = sdp::parse(offer);
    const auto own = sdp::parse(local);
    const auto parts = sections(local);
    if (!offered || !own || parts.size() != own->media.size() + 1) {
        return {};
    }
    auto out = without_direction(parts.front());
    std::vector<bool> used(own->media.size());
    for (const auto& media : offered->media) {
        std::string section = refused_line(media);
        for (std::size_t i = 0; media.port != 0 && i < used.size(); ++i) {
            if (!used[i] && own->media[i].type == media.type &&
                own->media[i].protocol == media.protocol) {
                used[i] = true;
                section = media_with(parts[i + 1],
                                     answer_direction(media.direction, own->media[i].direction));
                break;
            }
        }
        out += section;
    }
    return out;
}

} // namespace cw::dialog
