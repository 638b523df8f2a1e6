#include "view/figures.hpp"

#include <gtest/gtest.h>

namespace cw::view {
namespace {

template <class Append, class... Arguments>
std::string made_by(Append append, Arguments... arguments) {
    std::string out;
    append(out, arguments...);
    return out;
}

std::string duration(std::int64_t ns) {
    return made_by(append_duration, Duration{ns});
}

TEST(Figures, DurationsHaveTheUnitThatSuits) {
    EXPECT_EQ(duration(0), "0 µs");
    EXPECT_EQ(duration(120'000), "120 µs");
    EXPECT_EQ(duration(999'400), "999 µs");
    EXPECT_EQ(duration(999'600), "1 ms");
    EXPECT_EQ(duration(31'000'000), "31 ms");
    EXPECT_EQ(duration(999'600'000), "1.0 s");
    EXPECT_EQ(duration(31'500'000'000), "31.5 s");
    EXPECT_EQ(duration(150'000'000'000), "150 s");
    EXPECT_EQ(duration(720'000'000'000), "12 min");
    EXPECT_EQ(duration(10'800'000'000'000), "3.0 h");
    EXPECT_EQ(duration(-3'000'000), "-3 ms");
    EXPECT_EQ(duration(INT64_MIN), "-106752 d");
}

TEST(Figures, TimesAreThoseOfTheBaseLayer) {
    TimeWriter times;
    constexpr std::int64_t cases[] = {1'777'629'601'120'000'000,
                                      1'777'629'601'120'000'001,
                                      1'777'679'999'999'999'999,
                                      1'777'680'000'000'000'000,
                                      1,
                                      -1'000'000'000'000'000'000};
    for (const auto ns : cases) {
        std::string out;
        times.append_rfc3339(out, Instant{ns});
        EXPECT_EQ(out, to_rfc3339(Instant{ns}));
        EXPECT_EQ(made_by([](std::string& s, Instant t) { append_time_of_day(s, t); }, Instant{ns}),
                  to_time_of_day(Instant{ns}));
    }
}

TEST(Figures, EndpointsAreThoseOfTheBaseLayer) {
    for (const auto* text : {"192.0.2.1:5061", "0.0.0.0:0", "[2001:db8::1]:5060"}) {
        EXPECT_EQ(made_by(append_endpoint, *parse_endpoint(text, 0)), text);
    }
}

TEST(Figures, NumbersGroupAndSizesRound) {
    EXPECT_EQ(made_by(append_grouped, std::uint64_t{0}), "0");
    EXPECT_EQ(made_by(append_grouped, std::uint64_t{1'400'000}), "1,400,000");
    EXPECT_EQ(made_by(append_size, std::uint64_t{999}), "999 B");
    EXPECT_EQ(made_by(append_size, std::uint64_t{1'234}), "1.2 kB");
    EXPECT_EQ(made_by(append_size, std::uint64_t{12'345}), "12 kB");
    EXPECT_EQ(made_by(append_size, std::uint64_t{3'400'000}), "3.4 MB");
    EXPECT_EQ(made_by(append_decimal, std::numeric_limits<double>::infinity(), 2), "0");
}

TEST(Figures, CiphersAndVersionsAreNamedShortly) {
    EXPECT_EQ(short_cipher("TLS_AES_256_GCM_SHA384"), "AES-256-GCM");
    EXPECT_EQ(short_cipher("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"), "AES-128-CBC");
    EXPECT_EQ(short_cipher("TLS_CHACHA20_POLY1305_SHA256"), "CHACHA20-POLY1305");
    EXPECT_EQ(short_version("TLSv1.3"), "TLS 1.3");
    EXPECT_EQ(short_version("SSL 3.0"), "SSL 3.0");
}

TEST(Figures, AddressesOfRecordLoseSchemeAndParameters) {
    EXPECT_EQ(address_of_record("sip:alice@example.com"), "alice@example.com");
    EXPECT_EQ(address_of_record("sips:alice;day=tue@example.com;user=phone"),
              "alice;day=tue@example.com");
    EXPECT_EQ(address_of_record("tel:+15550100;phone-context=x"), "+15550100");
    EXPECT_EQ(address_of_record("sip:example.com:5070"), "example.com:5070");
    EXPECT_EQ(address_of_record(""), "");
}

} // namespace
} // namespace cw::view
