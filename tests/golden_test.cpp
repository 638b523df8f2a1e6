// What the views make of calls, whole texts compared. The calls are made by hand, so nothing but
// the views can change them.
#include <gtest/gtest.h>

#include "golden.hpp"
#include "view/json.hpp"
#include "view/ladder_text.hpp"
#include "view/list_text.hpp"
#include "view/mermaid.hpp"
#include "view/svg.hpp"
#include "view/test_calls.hpp"

namespace cw::view {
namespace {

struct Case {
    const char* name;
    flow::Call (*make)();
};
constexpr Case cases[] = {
    {"dropped", made::dropped_call},   {"good", made::good_call},
    {"loopback", made::loopback_call}, {"unreadable", made::unreadable_call},
    {"hostile", made::hostile_call},   {"registration", made::slow_registration},
};

void expect_golden(const std::string& name, std::string_view actual) {
    std::string why;
    EXPECT_TRUE(test::matches_golden(name, actual, why)) << why;
}

std::string text_of(const flow::Call& call, const TextOptions& options) {
    std::string out;
    append_text(out, layout(call, {.calls_in_all = 1}), options);
    return out;
}

InputReport some_input() {
    return {.file = "call.pcapng",
            .packets = 412,
            .bytes = 90'211,
            .first = made::CallMaker::time(0),
            .last = made::CallMaker::time(36'000),
            .ignored = {{"arp", 3}, {"icmp", 1200}},
            .problems = {"cut in the middle of packet 412"}};
}

TEST(Golden, LaddersInTheTerminalAreAsApproved) {
    for (const auto& c : cases) {
        expect_golden(std::string{c.name} + ".txt", text_of(c.make(), {.width = 100}));
    }
}

TEST(Golden, LaddersInAsciiAndInColourAreAsApproved) {
    expect_golden("dropped.ascii.txt",
                  text_of(made::dropped_call(), {.width = 100, .ascii = true}));
    expect_golden("dropped.colour.txt",
                  text_of(made::dropped_call(), {.width = 100, .colour = true}));
    expect_golden("dropped.narrow.txt", text_of(made::dropped_call(), {.width = 40}));
}

TEST(Golden, DiagramsAreAsApproved) {
    for (const auto& c : cases) {
        std::string out;
        append_mermaid(out, layout(c.make(), {.calls_in_all = 1}));
        expect_golden(std::string{c.name} + ".mmd", out);
    }
}

TEST(Golden, PicturesAreAsApproved) {
    for (const auto& c : cases) {
        std::string out;
        append_svg(out, layout(c.make(), {.calls_in_all = 1}));
        expect_golden(std::string{c.name} + ".svg", out);
    }
}

TEST(Golden, JsonIsAsApproved) {
    for (const auto& c : cases) {
        std::string out;
        JsonReport report{[&](std::string_view piece) { out += piece; }, "0.0.0"};
        const auto call = c.make();
        for (const auto& connection : call.connections) {
            report.tls(connection);
        }
        report.call(call);
        const auto input = some_input();
        report.finish({&input, 1}, {.packets = 412, .sip_messages = 24, .calls = 1});
        expect_golden(std::string{c.name} + ".json", out);
    }
}

TEST(Golden, TheListIsAsApproved) {
    for (const std::size_t width : {80, 100, 140}) {
        std::string out;
        ListText list{[&](std::string_view piece) { out += piece; }, {.width = width}};
        std::uint32_t id = 0;
        for (const auto& c : cases) {
            auto call = c.make();
            call.id = ++id;
            for (const auto& connection : call.connections) {
                list.connection(connection);
            }
            list.call(call);
        }
        const auto input = some_input();
        list.finish({&input, 1}, {.packets = 412,
                                  .sip_messages = 48,
                                  .calls = 6,
                                  .tls_connections = 7,
                                  .tls_decrypted = 6,
                                  .rtp_streams = 5});
        expect_golden("list." + std::to_string(width) + ".txt", out);
    }
}

} // namespace
} // namespace cw::view
