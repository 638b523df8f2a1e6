#include "flow/difference.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "flow/boxes.hpp"
#include "sip/message.hpp"

namespace cw::flow {
namespace {

using sip::HeaderId;

constexpr std::size_t longest_value = 1000;

// What two messages must share to stand at the same place.
struct Position {
    std::uint16_t from = 0; // boxes, in the order in which they appear
    std::uint16_t to = 0;
    std::uint16_t status = 0;
    std::string_view method;
    bool operator==(const Position&) const = default;
};

// A call as it is compared.
class Side {
  public:
    Side(const Call& call, const BytesOf& bytes) : call_(call), bytes_(bytes), boxes_(call) {
        sent_.assign(call.messages.size(), 1);
        for (std::uint32_t i = 0; i < call.messages.size(); ++i) {
            const auto& m = call.messages[i];
            if (m.retransmission_of < sent_.size()) {
                ++sent_[m.retransmission_of];
            } else if (m.duplicate_of == none && steps_.size() < longest_compared) {
                steps_.push_back(i);
            }
            note(m.source, boxes_.of(m.source));
            note(m.destination, boxes_.of(m.destination));
            if (m.status == 0 && m.vias == 1 && m.sent_by.port != 0) { // where it listens
                note(m.sent_by, boxes_.of(m.source));
            }
        }
        for (const auto& line : call.media_lines) {
            note(line.receive, boxes_.of(line.receive));
        }
        // The longest first, so that 10.0.0.12 is not taken for 10.0.0.1 and a 2.
        std::ranges::sort(names_, {}, [](const auto& one) {
            return std::pair{-static_cast<int>(one.first.size()), one.first};
        });
        names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
    }

    [[nodiscard]] const std::vector<std::uint32_t>& steps() const { return steps_; }
    [[nodiscard]] std::uint32_t sent(std::uint32_t message) const { return sent_[message]; }
    [[nodiscard]] Position place(std::uint32_t message) const {
        const auto& m = call_.messages[message];
        return {boxes_.of(m.source), boxes_.of(m.destination), m.status, call_.text(m.method_text)};
    }
    // Name and value of everything that is compared.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>>
    fields(std::uint32_t message) const;

  private:
    void note(const Endpoint& at, std::uint16_t box) {
        if (box != no_box && names_.size() < most_names) {
            names_.emplace_back(to_string(at), fmt::format("‹{}›", box + 1));
            names_.emplace_back(to_string(at.address), fmt::format("‹{}›", box + 1));
        }
    }
    [[nodiscard]] std::string with_parties(std::string_view text) const;
    void add_header(std::vector<std::pair<std::string, std::string>>& out,
                    const sip::Header& header) const;
    void add_sdp(std::vector<std::pair<std::string, std::string>>& out,
                 std::string_view body) const;

    static constexpr std::size_t most_names = 256;

    const Call& call_;
    const BytesOf& bytes_;
    Boxes boxes_;
    std::vector<std::uint32_t> steps_;
    std::vector<std::uint32_t> sent_; // how often, by message
    std::vector<std::pair<std::string, std::string>> names_;
};

// "192.0.2.1:5060" is "‹1›", if that is where the first party is; its other ports are no matter.
std::string Side::with_parties(std::string_view text) const {
    std::string out{text.substr(0, longest_value)};
    for (const auto& [address, party] : names_) {
        for (auto at = out.find(address); at != std::string::npos;
             at = out.find(address, at + party.size())) {
            auto end = at + address.size();
            const auto is_part = [&](std::size_t i) {
                return i < out.size() && (is_digit(out[i]) || out[i] == '.');
            };
            if ((at > 0 && is_part(at - 1)) || is_part(end)) {
                continue; // of a longer one
            }
            if (end < out.size() && out[end] == ':') {
                for (++end; end < out.size() && is_digit(out[end]);) {
                    ++end;
                }
            }
            out.replace(at, end - at, party);
        }
    }
    return out;
}

// Takes `name=value` out of parameters that ';' or ',' divides.
void drop_value(std::string& text, std::string_view name) {
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos;) {
        const bool begins = at == 0 || text[at - 1] == ';' || text[at - 1] == ',' ||
                            text[at - 1] == ' ' || text[at - 1] == '\t';
        const auto equals = at + name.size();
        if (!begins || equals >= text.size() || text[equals] != '=') {
            at += name.size();
            continue;
        }
        auto end = equals + 1;
        bool quoted = false;
        for (; end < text.size(); ++end) {
            quoted = text[end] == '"' ? !quoted : quoted;
            if (!quoted && (text[end] == ';' || text[end] == ',' || text[end] == '>')) {
                break;
            }
        }
        text.replace(equals, end - equals, "=…");
        at = equals;
    }
}

void Side::add_header(std::vector<std::pair<std::string, std::string>>& out,
                      const sip::Header& header) const {
    constexpr std::array own{HeaderId::CallId, HeaderId::ContentLength, HeaderId::Date,
                             HeaderId::Timestamp, HeaderId::RSeq};
    if (std::ranges::find(own, header.id) != own.end()) {
        return;
    }
    auto value = with_parties(header.value);
    if (header.id == HeaderId::CSeq || header.id == HeaderId::RAck) {
        value = value.substr(std::min(value.find_last_of(" \t") + 1, value.size())); // the method
    }
    for (const std::string_view param : {"branch", "tag", "rport", "received", "nonce", "cnonce",
                                         "response", "opaque", "nc", "from-tag", "to-tag", "ob"}) {
        drop_value(value, param);
    }
    const auto name =
        header.id == HeaderId::Other ? std::string{header.name} : std::string{to_string(header.id)};
    const auto known =
        std::ranges::find_if(out, [&](const auto& one) { return iequals(one.first, name); });
    if (known == out.end()) {
        out.emplace_back(name, std::move(value));
    } else {
        known->second += ", " + value;
    }
}

void Side::add_sdp(std::vector<std::pair<std::string, std::string>>& out,
                   std::string_view body) const {
    std::size_t media = 0;
    while (!body.empty() && out.size() < 500) {
        const auto end = std::min(body.find('\n'), body.size());
        const auto line = trim(body.substr(0, end));
        body.remove_prefix(std::min(end + 1, body.size()));
        if (line.size() < 2 || line[1] != '=' || line[0] == 'o' || line[0] == 't') {
            continue; // session numbers and times are of this call
        }
        auto value = with_parties(line.substr(2));
        const auto kind = value.substr(0, value.find_first_of(": "));
        std::string name = fmt::format("SDP {}=", line[0]);
        if (line[0] == 'm') { // the port is of this call, but for 0
            ++media;
            const auto port = value.find(' ');
            const auto rest = port == std::string::npos ? port : value.find(' ', port + 1);
            if (rest != std::string::npos && value.substr(port, rest - port) != " 0") {
                value.replace(port + 1, rest - port - 1, "…");
            }
        } else if (line[0] == 'a') {
            constexpr std::array<std::string_view, 7> own{
                "candidate", "ice-ufrag", "ice-pwd", "rtcp", "ssrc", "msid", "extmap"};
            if (std::ranges::find(own, kind) != own.end()) {
                continue;
            }
            // Of keys and fingerprints the kind.
            if (kind == "crypto" || kind == "fingerprint") {
                value.resize(
                    std::min(value.find(kind == "crypto" ? " inline" : " "), value.size()));
            }
            name += kind;
        }
        if (media > 0) {
            name += fmt::format(" of m= {}", media);
        }
        const auto known = std::ranges::find(out, name, [](const auto& one) { return one.first; });
        if (known == out.end()) {
            out.emplace_back(std::move(name), std::move(value));
        } else {
            known->second += " | " + value;
        }
    }
}

std::vector<std::pair<std::string, std::string>> Side::fields(std::uint32_t message) const {
    std::vector<std::pair<std::string, std::string>> out;
    const auto& m = call_.messages[message];
    out.emplace_back("transport", to_string(m.transport));
    if (sent(message) > 1) {
        out.emplace_back("sent", fmt::format("{} times", sent(message)));
    }
    if (m.status != 0) {
        out.emplace_back("reason phrase", call_.text(m.reason));
    } else {
        out.emplace_back("Request-URI", with_parties(call_.text(m.request_uri)));
    }
    sip::HeaderIndex index;
    const std::string bytes{bytes_(m)};
    const auto parsed = sip::index(bytes, index);
    if (!parsed) {
        return out;
    }
    for (const auto& header : parsed->headers()) {
        add_header(out, header);
    }
    if (istarts_with(parsed->value(HeaderId::ContentType), "application/sdp")) {
        add_sdp(out, parsed->body());
    } else if (!parsed->body().empty()) {
        out.emplace_back("body", std::string{parsed->body().substr(0, longest_value)});
    }
    return out;
}

std::vector<FieldDifference> differences(const Side& a, std::uint32_t in_a, const Side& b,
                                         std::uint32_t in_b) {
    std::vector<FieldDifference> out;
    const auto first = a.fields(in_a);
    auto second = b.fields(in_b);
    for (const auto& [name, value] : first) {
        const auto other =
            std::ranges::find_if(second, [&](const auto& one) { return iequals(one.first, name); });
        if (other == second.end()) {
            out.push_back({name, value, {}});
        } else {
            if (other->second != value) {
                out.push_back({name, value, other->second});
            }
            second.erase(other);
        }
    }
    for (auto& [name, value] : second) {
        out.push_back({name, {}, value});
    }
    return out;
}

// Pairs of steps in the longest sequence that both calls have, in order; the others stand alone.
std::vector<std::pair<std::uint32_t, std::uint32_t>> align(const Side& a, const Side& b) {
    const auto rows = a.steps().size();
    const auto columns = b.steps().size();
    std::vector<std::uint16_t> longest((rows + 1) * (columns + 1), 0);
    const auto at = [&](std::size_t i, std::size_t j) -> std::uint16_t& {
        return longest[i * (columns + 1) + j];
    };
    std::vector<Position> places;
    for (const auto step : b.steps()) {
        places.push_back(b.place(step));
    }
    for (auto i = rows; i-- > 0;) {
        const auto place = a.place(a.steps()[i]);
        for (auto j = columns; j-- > 0;) {
            at(i, j) = place == places[j] ? static_cast<std::uint16_t>(at(i + 1, j + 1) + 1)
                                          : std::max(at(i + 1, j), at(i, j + 1));
        }
    }
    std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < rows || j < columns) {
        if (i < rows && j < columns && a.place(a.steps()[i]) == places[j]) {
            out.emplace_back(a.steps()[i++], b.steps()[j++]);
        } else if (j == columns || (i < rows && at(i + 1, j) >= at(i, j + 1))) {
            out.emplace_back(a.steps()[i++], none);
        } else {
            out.emplace_back(none, b.steps()[j++]);
        }
    }
    return out;
}

} // namespace

CallDifference compare(const Call& a, const Call& b, const BytesOf& bytes_a,
                       const BytesOf& bytes_b) {
    const Side first{a, bytes_a};
    const Side second{b, bytes_b};
    CallDifference out;
    out.cut = first.steps().size() == longest_compared || second.steps().size() == longest_compared;
    for (const auto& [in_a, in_b] : align(first, second)) {
        StepDifference step{in_a, in_b, {}};
        if (in_a != none && in_b != none) {
            step.fields = differences(first, in_a, second, in_b);
            if (step.fields.empty()) {
                ++out.alike;
                out.alike_before += out.steps.empty();
                continue;
            }
        }
        out.steps.push_back(std::move(step));
    }
    return out;
}

} // namespace cw::flow
