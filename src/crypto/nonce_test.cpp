#include "crypto/nonce.hpp"

#include <gtest/gtest.h>

namespace cw::crypto {
namespace {

const Instant start{1'777'629'601'000'000'000};
constexpr auto secret = "a secret of thirty-two octets or more";
using enum Nonces::Verdict;

std::string fresh(Nonces& nonces, Instant now = start, std::string_view realm = "example.com") {
    std::string out;
    nonces.append(out, realm, now);
    return out;
}

TEST(Nonces, KnowTheirOwn) {
    Nonces nonces{secret, 3, 1};
    const auto nonce = fresh(nonces);
    EXPECT_EQ(nonces.use(nonce, "example.com", 1, start + seconds(1)), Fresh);
    EXPECT_EQ(nonces.use(nonce, "example.org", 2, start + seconds(1)), Unknown);
    auto changed = nonce;
    changed[3] = changed[3] == 'A' ? 'B' : 'A';
    EXPECT_EQ(nonces.use(changed, "example.com", 1, start), Unknown);
    EXPECT_EQ(nonces.use("", "example.com", 1, start), Unknown);
    EXPECT_EQ(nonces.use(nonce + "A", "example.com", 2, start), Unknown);
}

TEST(Nonces, AreStaleWhenOldOrOfAnotherShardOrStart) {
    Nonces here{secret, 3, 1};
    Nonces there{secret, 4, 1};
    Nonces later{secret, 3, 2};
    const auto nonce = fresh(here);
    EXPECT_EQ(there.use(nonce, "example.com", 1, start), Stale);
    EXPECT_EQ(later.use(nonce, "example.com", 1, start), Stale);
    EXPECT_EQ(here.use(nonce, "example.com", 1, start + seconds(301)), Stale);
    EXPECT_EQ(here.use(nonce, "example.com", 1, start + seconds(300)), Fresh);
}

TEST(Nonces, TakeNoCountTwice) {
    Nonces nonces{secret, 0, 1};
    const auto nonce = fresh(nonces);
    const auto use = [&](std::uint32_t nc) { return nonces.use(nonce, "example.com", nc, start); };
    EXPECT_EQ(use(1), Fresh);
    EXPECT_EQ(use(1), Stale);
    EXPECT_EQ(use(3), Fresh);
    EXPECT_EQ(use(2), Fresh); // late, but not used
    EXPECT_EQ(use(2), Stale);
    EXPECT_EQ(use(0), Stale);
    EXPECT_EQ(use(0xffff'ffff), Fresh);
    EXPECT_EQ(use(4), Stale); // too far back to be known
}

TEST(Nonces, ForgetWithoutEverTakingACountTwice) {
    Nonces nonces{secret, 0, 1, {.lifetime = seconds(300), .remembered = 8}};
    std::vector<std::string> used;
    for (int i = 0; i < 100; ++i) {
        const auto now = start + milliseconds(i);
        used.push_back(fresh(nonces, now));
        EXPECT_EQ(nonces.use(used.back(), "example.com", 1, now), Fresh);
        EXPECT_LE(nonces.remembered(), 8U);
    }
    for (const auto& nonce : used) {
        EXPECT_EQ(nonces.use(nonce, "example.com", 1, start + seconds(1)), Stale);
    }
}

} // namespace
} // namespace cw::crypto
