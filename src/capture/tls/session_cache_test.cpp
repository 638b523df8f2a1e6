#include "capture/tls/session_cache.hpp"

#include <string>

#include <gtest/gtest.h>

namespace cw::capture::tls {
namespace {

TEST(SessionCache, FindsMasterSecretsByIdAndTicket) {
    SessionCache cache;
    MasterSecret one{};
    one.fill(1);
    MasterSecret two{};
    two.fill(2);
    EXPECT_EQ(cache.find(as_bytes("id")), nullptr);
    cache.remember(as_bytes("id"), one);
    cache.remember(as_bytes(std::string(2000, 't')), two);
    cache.remember({}, two); // no session id was given
    ASSERT_NE(cache.find(as_bytes("id")), nullptr);
    EXPECT_EQ(*cache.find(as_bytes("id")), one);
    EXPECT_EQ(*cache.find(as_bytes(std::string(2000, 't'))), two);
    EXPECT_EQ(cache.find({}), nullptr);
    cache.remember(as_bytes("id"), two);
    EXPECT_EQ(*cache.find(as_bytes("id")), two);
}

TEST(SessionCache, ForgetsTheOldestFirst) {
    SessionCache cache;
    const auto id = [](std::size_t i) { return "session " + std::to_string(i); };
    for (std::size_t i = 0; i < SessionCache::most_sessions + 10; ++i) {
        cache.remember(as_bytes(id(i)), {});
    }
    EXPECT_EQ(cache.find(as_bytes(id(9))), nullptr);
    EXPECT_NE(cache.find(as_bytes(id(10))), nullptr);
    EXPECT_NE(cache.find(as_bytes(id(SessionCache::most_sessions + 9))), nullptr);
}

TEST(SessionCache, PaysForGuessesWithTheBytesRead) {
    SessionCache cache;
    std::size_t tries = 0;
    while (cache.spend(1 << 20)) {
        ++tries;
    }
    EXPECT_GT(tries, 100U);
    EXPECT_LT(tries, 10'000U);
    EXPECT_FALSE(cache.spend(1 << 20));
    cache.earn(1 << 20);
    EXPECT_TRUE(cache.spend(1 << 20));
}

} // namespace
} // namespace cw::capture::tls
