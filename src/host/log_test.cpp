#include "host/log.hpp"

#include <gtest/gtest.h>

#include <array>

#include <unistd.h>

namespace {

using namespace cw::host;

std::string written(LogLevel least, LogLevel level, std::string_view fields) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    Log{ends[1], least}.line(level, "refused", fields);
    close(ends[1]);
    std::array<char, 4096> buffer{};
    const auto got = read(ends[0], buffer.data(), buffer.size());
    close(ends[0]);
    return {buffer.data(), static_cast<std::size_t>(got)};
}

TEST(Log, WritesOneLineAnEvent) {
    const auto text = written(LogLevel::Info, LogLevel::Warning, field("user", "alice"));
    EXPECT_TRUE(text.ends_with("Z level=warning event=refused user=alice\n")) << text;
}

TEST(Log, LeavesOutWhatNobodyAskedFor) {
    EXPECT_EQ(written(LogLevel::Info, LogLevel::Debug, ""), "");
}

TEST(Log, DoesNotLetAValueBeginALine) {
    EXPECT_EQ(field("reason", "a\nlevel=error \"x\" \\ \x1b[2J \xff"),
              " reason=\"a\\x0alevel=error \\\"x\\\" \\\\ \\x1b[2J \\xff\"");
    EXPECT_EQ(field("reason", ""), " reason=\"\"");
    EXPECT_EQ(field("reason", std::string(10'000, 'x')).size(), 8U + 512);
}

} // namespace
