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

// Where the table and the truth part, what is true, and why.
struct Difference {
    std::string_view file; // a whole path, or its beginning with a '*' at the end
    std::int64_t sip_messages = same;
    std::int64_t call_ids = same;
    bool streams = true; // the figures of streams are compared
    bool server_hellos = true;
    std::string_view why;

    static constexpr std::int64_t same = -1; // as in the table
};

constexpr std::string_view second_port =
    "the proxy's own connection to the other phone runs on port 15071, where tshark was not told "
    "to look: six messages more, the same 29 as in the captures of this scenario over UDP";
constexpr std::string_view start_tls = "TLS begins after a STARTTLS of a protocol that is not SIP";
constexpr std::string_view event_jitter =
    "tshark measures jitter with telephone-events too, whose timestamps stand still [RFC 4733 "
    "§2.2.1]";
constexpr std::string_view fax = "after the change to T.38 tshark takes what goes to that address "
                                 "for T.38, though audio goes on";

constexpr std::array differences{
    Difference{.file = "hep-wireshark/hep.pcap",
               .sip_messages = 6,
               .call_ids = 1,
               .why = "tshark 4.0 was not told that port 9060 carries HEP"},
    Difference{.file = "lab-derived/py_tls13_split_midstream.pcap",
               .sip_messages = 23,
               .call_ids = 6,
               .why = "the keys are found by trial, so all but the first message can be read"},
    Difference{.file = "lab-derived/py_tls13_split_segmentlost.pcap",
               .sip_messages = 24,
               .call_ids = 6,
               .why = "the sequence number is found again after the gap; one message is cut"},
    Difference{.file = "lab-derived/tls12-ecdhe-rsa-aes128gcm_sdes_midstream.pcap",
               .sip_messages = 6,
               .call_ids = 1,
               .why = "one connection begins after the start of the capture: the proxy's own, on "
                      "port 15071"},
    Difference{.file = "lab-derived/tls12-ecdhe-rsa-aes128gcm_sdes_segmentlost.pcap",
               .sip_messages = 28,
               .why =
                   "the sequence number is found again after the gap: of 29 messages one is lost"},
    Difference{.file = "lab-derived/tls12-ecdhe-rsa-aes128gcm_sdes_dsb.pcapng",
               .sip_messages = 29,
               .why = second_port},
    Difference{.file = "lab-derived/tls12-ecdhe-rsa-aes128gcm_sdes_tcpdup.pcap",
               .sip_messages = 29,
               .why = second_port},
    Difference{.file = "lab-derived/tls12-ecdhe-rsa-aes128gcm_sdes_tcpooo.pcap",
               .sip_messages = 29,
               .why = second_port},
    Difference{.file = "lab-derived/tls13-aes256gcm_sdes_dsb.pcapng",
               .sip_messages = 29,
               .why = second_port},
    Difference{.file = "lab/tls12-*", .sip_messages = 29, .why = second_port},
    Difference{.file = "lab/tls13-*", .sip_messages = 29, .why = second_port},
    Difference{.file = "nDPI/FAX-Call-t38-CA-TDM-SIP-FB-1.pcap", .streams = false, .why = fax},
    Difference{
        .file = "wireshark-wiki/FAX-Call-t38-CA-TDM-SIP-FB-1.pcap", .streams = false, .why = fax},
    Difference{.file = "nDPI/whatsapp_login_call.pcap",
               .streams = false,
               .why = "four packets without an SDP are too few to be sure of RTP"},
    Difference{
        .file = "sipnab/tests/pcap-samples/SIP_DTMF2.cap", .streams = false, .why = event_jitter},
    Difference{.file = "wireshark-wiki/SIP_DTMF2.cap", .streams = false, .why = event_jitter},
    Difference{.file = "wireshark-wiki/imap-*", .server_hellos = false, .why = start_tls},
    Difference{.file = "wireshark-wiki/ldap-*", .server_hellos = false, .why = start_tls},
    Difference{.file = "wireshark-wiki/pop-*", .server_hellos = false, .why = start_tls},
    Difference{.file = "wireshark-wiki/smtp*", .server_hellos = false, .why = start_tls},
    Difference{.file = "wireshark-wiki/xmpp-*", .server_hellos = false, .why = start_tls},
};

Difference difference_of(std::string_view file) {
    for (const auto& d : differences) {
        const auto star = d.file.find('*');
        if (file.substr(0, star) == d.file.substr(0, star)) {
            return d;
        }
    }
    return {};
}

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
    std::map<std::tuple<std::string, std::string, std::uint32_t>, flow::MediaStream> streams;
};

Seen look(Reading& reading) {
    Seen seen;
    const auto add_stream = [&](const flow::MediaStream& stream) {
        seen.streams[{to_string(stream.source), to_string(stream.destination), stream.ssrc}] =
            stream;
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

void compare_server_hellos(const Facts& facts, const std::vector<flow::Connection>& connections) {
    std::map<std::string, std::uint64_t> seen;
    for (const auto& connection : connections) {
        if (!connection.version.empty() && !connection.cipher.empty()) {
            ++seen[connection.version + " " + connection.cipher];
        }
    }
    for (const auto& [suite, count] : facts.server_hellos) {
        EXPECT_EQ(seen[suite], count) << suite;
    }
}

void compare_streams(const Facts& facts, const Seen& seen) {
    for (const auto& fact : facts.streams) {
        const auto at = seen.streams.find({fact.source, fact.destination, fact.ssrc});
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

TEST_P(EachCapture, HoldsWhatIsKnownOfIt) {
    const auto& facts = GetParam();
    const auto folder = captures_folder() + "/";
    const auto reading =
        read_capture(folder + facts.file, facts.keys.empty() ? "" : folder + facts.keys);
    ASSERT_NE(reading, nullptr) << facts.file;
    EXPECT_EQ(reading->packets, facts.packets);

    auto seen = look(*reading);
    EXPECT_EQ(seen.messages, reading->book.counts().sip_messages) << "no message may be lost";
    const auto difference = difference_of(facts.file);
    const auto expected = [](std::int64_t truth, std::uint64_t table) {
        return truth == Difference::same ? table : static_cast<std::uint64_t>(truth);
    };
    EXPECT_EQ(seen.messages, expected(difference.sip_messages, facts.sip_messages));
    if (!facts.overridden) {
        EXPECT_EQ(seen.call_ids.size(), expected(difference.call_ids, facts.call_ids));
    }
    if (!facts.overridden && difference.sip_messages == Difference::same) {
        EXPECT_EQ(seen.requests, facts.requests);
        EXPECT_EQ(seen.statuses, facts.statuses);
    }
    if (difference.server_hellos) {
        compare_server_hellos(facts, reading->connections());
    }
    if (difference.streams) {
        compare_streams(facts, seen);
    }
}

INSTANTIATE_TEST_SUITE_P(Material, EachCapture, testing::ValuesIn(read_facts()), name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EachCapture);

} // namespace
} // namespace cw::test
