// A dozen captures of our own lab through the whole program: what is drawn of them stays as it was
// once looked at and approved. The captures are in the shared material; the example ships with the
// project.
#include <array>
#include <string>

#include <gtest/gtest.h>

#include "facts.hpp"
#include "golden.hpp"
#include "reading.hpp"
#include "view/json.hpp"
#include "view/ladder_text.hpp"
#include "view/list_text.hpp"
#include "view/mermaid.hpp"

namespace cw::test {
namespace {

struct Case {
    const char* name;
    const char* file; // below the captures folder; with a leading slash below the project
    bool keys;        // its key log lies beside it
};

constexpr std::array cases{
    Case{"example", "/examples/secure-call.pcapng", false},
    Case{"tls12_sdes", "lab/tls12-ecdhe-rsa-aes128gcm_sdes.pcap", true},
    Case{"tls12_no_keys", "lab/tls12-ecdhe-rsa-aes256gcm_sdes.pcap", false},
    Case{"tls12_segment_lost", "lab-derived/tls12-ecdhe-rsa-aes128gcm_sdes_segmentlost.pcap", true},
    Case{"tls12_midstream", "lab-derived/tls12-ecdhe-rsa-aes128gcm_sdes_midstream.pcap", true},
    Case{"tls12_wrong_keys", "lab-derived/tls12-ecdhe-rsa-aes128gcm_sdes_wrongkeys.pcap", true},
    Case{"tls12_mutual", "lab/py_tls12_mutual.pcap", true},
    Case{"tls12_resumed", "lab/py_tls12_resume.pcap", true},
    Case{"tls13_midstream", "lab-derived/py_tls13_split_midstream.pcap", true},
    Case{"udp_rtp", "lab/udp_rtp.pcap", false},
    Case{"udp_dtls_srtp", "lab/udp_dtls-srtp.pcap", false},
    Case{"tcp_sdes", "lab/tcp_sdes.pcap", false},
    Case{"rtp_loss", "lab-derived/rtp_loss17_dup.pcap", false},
    Case{"snaplen", "lab-derived/udp_rtp_snaplen200.pcap", false},
};

class EachGoldenCapture : public testing::TestWithParam<Case> {};

void expect_golden(const std::string& name, const std::string& actual) {
    std::string why;
    EXPECT_TRUE(matches_golden(name, actual, why)) << why;
}

TEST_P(EachGoldenCapture, IsDrawnAsApproved) {
    const auto& c = GetParam();
    const bool ours = c.file[0] == '/';
    if (!ours && captures_folder().empty()) {
        GTEST_SKIP() << "the shared captures are not there";
    }
    const auto path =
        (ours ? std::string{CALLWRIGHT_SOURCE_DIR} : captures_folder() + "/") + c.file;
    const auto keys = c.keys ? path.substr(0, path.rfind('.')) + ".keylog" : std::string{};
    const auto reading = read_capture(path, keys);
    ASSERT_NE(reading, nullptr) << path;

    std::string text;
    std::string mermaid;
    std::string json;
    view::JsonReport report{[&](std::string_view part) { json += part; }, "test"};
    view::ListText list{[&](std::string_view part) { text += part; }, {.width = 110}};
    const auto connections = reading->connections();
    for (const auto& connection : connections) {
        list.connection(connection);
        if (connection.is_tls()) {
            report.tls(connection);
        }
    }
    const auto calls = reading->calls();
    for (const auto& call : calls) {
        report.call(call);
        list.call(call);
    }
    view::ReportCounts counts;
    counts.packets = reading->packets;
    counts.sip_messages = reading->book.counts().sip_messages;
    counts.calls = counts.shown = calls.size();
    counts.tls_connections = reading->book.counts().tls_connections;
    counts.tls_decrypted = reading->book.counts().tls_decrypted;
    counts.rtp_streams = reading->book.counts().rtp_streams;
    reading->book.for_each_stray_stream(
        [&](const flow::MediaStream& stream, const flow::TextPool& texts) {
            list.stray(stream, texts);
            report.stray(stream, texts);
            return true;
        });
    report.finish({}, counts);
    list.finish({}, counts);
    for (const auto& call : calls) {
        const auto ladder = view::layout(call, {.calls_in_all = calls.size()});
        text += '\n';
        view::append_text(text, ladder, {.width = 110});
        view::append_mermaid_section(mermaid, ladder);
    }
    const auto name = std::string{"captures/"} + c.name;
    expect_golden(name + ".txt", text);
    expect_golden(name + ".mmd.md", mermaid);
    expect_golden(name + ".json", json);
}

INSTANTIATE_TEST_SUITE_P(Lab, EachGoldenCapture, testing::ValuesIn(cases),
                         [](const auto& each) { return std::string{each.param.name}; });

} // namespace
} // namespace cw::test
