// For tests: DNS messages made by hand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cw::net::test {

inline std::string be(std::uint64_t value, int octets) {
    std::string out;
    for (int i = octets - 1; i >= 0; --i) {
        out += static_cast<char>(value >> (8 * i) & 0xff);
    }
    return out;
}

inline std::string wire_name(std::string_view name) {
    std::string out;
    while (!name.empty()) {
        const auto dot = name.find('.');
        const auto label = name.substr(0, dot);
        out += static_cast<char>(label.size());
        out += label;
        name = dot == std::string_view::npos ? std::string_view{} : name.substr(dot + 1);
    }
    return out + '\0';
}

inline std::string record(const std::string& owner, int type, std::uint32_t ttl,
                          const std::string& data) {
    return owner + be(static_cast<std::uint64_t>(type), 2) + be(1, 2) + be(ttl, 4) +
           be(data.size(), 2) + data;
}
inline std::string soa(std::uint32_t ttl, std::uint32_t minimum) {
    return record(wire_name("example.com"), 6, ttl,
                  wire_name("ns.example.com") + wire_name("admin.example.com") +
                      std::string(16, '\0') + be(minimum, 4));
}
inline std::string srv(int priority, int weight, int port, std::string_view target) {
    return be(static_cast<std::uint64_t>(priority), 2) + be(static_cast<std::uint64_t>(weight), 2) +
           be(static_cast<std::uint64_t>(port), 2) + wire_name(target);
}

struct Reply {
    int code = 0;
    std::vector<std::string> answers{};
    std::vector<std::string> authority{};
};

// The answer to `question` (header and question as they came, without what follows).
inline std::string reply(std::string_view id, std::string_view question, const Reply& r) {
    std::string out{id};
    out += be(0x8180U | static_cast<unsigned>(r.code), 2) + be(1, 2) + be(r.answers.size(), 2) +
           be(r.authority.size(), 2) + be(0, 2);
    out += question;
    for (const auto* section : {&r.answers, &r.authority}) {
        for (const auto& one : *section) {
            out += one;
        }
    }
    return out;
}

// Points to the name in the question.
inline const std::string to_question = "\xc0\x0c";

} // namespace cw::net::test
