// Every capture of the shared material against what tshark 4.0 says of it. Where the two differ,
// the table below says why, and what the truth is; a difference that is not in the table fails.
#include "facts.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "reading.hpp"

namespace cw::test {
namespace {

// What a capture really holds where tshark's table says otherwise.
struct Difference {
    std::string_view file;
    std::int64_t sip_messages; // −1: as in the table
    std::int64_t call_ids;
    std::string_view why;
};

constexpr std::int64_t same = -1;

const Difference* difference_of(const std::string& file);

class EachCapture : public testing::TestWithParam<Facts> {};

std::string name_of(const testing::TestParamInfo<Facts>& info) {
    std::string name = info.param.file;
    std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    return fmt::format("{}_{}", info.index, name);
}

struct Seen {
    std::uint64_t messages = 0;
    std::set<std::string> call_ids;
    std::map<std::string, std::uint64_t> requests;
    std::map<std::string, std::uint64_t> statuses;
    std::map<std::pair<std::string, std::uint32_t>, flow::MediaStream> streams;
};

Seen look(Reading& reading) {
    Seen seen;
    const auto add_stream = [&](const flow::MediaStream& stream) {
        seen.streams[{to_string(stream.source), stream.ssrc}] = stream;
    };
    for (const auto& call : reading.calls()) {
        for (const auto& m : call.messages) {
            ++seen.messages;
            const auto id = call.text(call.legs[m.leg].call_id);
            if (!id.empty()) {
                seen.call_ids.emplace(id);
            }
            if (m.status == 0) {
                ++seen.requests[std::string{call.text(m.method_text)}];
            } else {
                ++seen.statuses[std::to_string(m.status)];
            }
        }
        std::ranges::for_each(call.streams, add_stream);
    }
    reading.book.for_each_stray_stream([&](const flow::MediaStream& stream, const flow::TextPool&) {
        add_stream(stream);
        return true;
    });
    return seen;
}

TEST_P(EachCapture, HoldsWhatIsKnownOfIt) {
    const auto& facts = GetParam();
    const auto folder = captures_folder() + "/";
    const auto reading =
        read_capture(folder + facts.file, facts.keys.empty() ? "" : folder + facts.keys);
    ASSERT_NE(reading, nullptr) << facts.file;
    EXPECT_EQ(reading->packets, facts.packets);

    auto seen = look(*reading);
    EXPECT_EQ(seen.messages, reading->book.counts().sip_messages) << "no message may be lost";
    const auto* difference = difference_of(facts.file);
    if (difference == nullptr) {
        EXPECT_EQ(seen.messages, facts.sip_messages);
        if (!facts.overridden) {
            EXPECT_EQ(seen.call_ids.size(), facts.call_ids);
            EXPECT_EQ(seen.requests, facts.requests);
            EXPECT_EQ(seen.statuses, facts.statuses);
        }
    } else {
        const auto expected = difference->sip_messages == same
                                  ? facts.sip_messages
                                  : static_cast<std::uint64_t>(difference->sip_messages);
        EXPECT_EQ(seen.messages, expected) << difference->why;
        if (difference->call_ids != same) {
            EXPECT_EQ(seen.call_ids.size(), static_cast<std::uint64_t>(difference->call_ids))
                << difference->why;
        }
    }
    for (const auto& fact : facts.streams) {
        const auto at = seen.streams.find({fact.source, fact.ssrc});
        if (at == seen.streams.end()) {
            ADD_FAILURE() << "no stream " << fact.source << " " << fact.ssrc;
            continue;
        }
        EXPECT_EQ(at->second.packets, fact.packets) << fact.source;
        EXPECT_EQ(at->second.lost, fact.lost) << fact.source;
        if (fact.max_jitter_ms > 0 && at->second.jitter_ms > 0) {
            EXPECT_NEAR(at->second.jitter_ms, fact.max_jitter_ms, 0.002) << fact.source;
        }
    }
}

const Difference* difference_of(const std::string& file) {
    static constexpr std::array<Difference, 1> table{{
        {"", same, same, ""},
    }};
    const auto at = std::ranges::find(table, file, &Difference::file);
    return at == table.end() ? nullptr : at;
}

INSTANTIATE_TEST_SUITE_P(Material, EachCapture, testing::ValuesIn(read_facts()), name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EachCapture);

} // namespace
} // namespace cw::test
