#include "facts.hpp"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "capture/tls/suite.hpp"

namespace cw::test {
namespace {

std::vector<std::string> split(std::string_view line, char separator) {
    std::vector<std::string> parts;
    while (true) {
        const auto end = line.find(separator);
        parts.emplace_back(line.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        line.remove_prefix(end + 1);
    }
}

std::uint64_t number(std::string_view text) {
    std::uint64_t n = 0;
    std::from_chars(text.data(), text.data() + text.size(), n);
    return n;
}

// "{""INVITE"": 2, ""ACK"": 1}" as the table quotes it.
std::map<std::string, std::uint64_t> counts(std::string_view text) {
    std::map<std::string, std::uint64_t> result;
    constexpr std::string_view quote = "\"\"";
    for (auto at = text.find(quote); at != std::string_view::npos; at = text.find(quote, at)) {
        const auto begin = at + quote.size();
        const auto end = text.find(quote, begin);
        const auto value = text.find_first_of("0123456789", end);
        if (end == std::string_view::npos || value == std::string_view::npos) {
            break;
        }
        result[std::string{text.substr(begin, end - begin)}] = number(text.substr(value));
        at = value;
    }
    return result;
}

std::string_view after(std::string_view text, std::string_view mark) {
    const auto at = text.find(mark);
    return at == std::string_view::npos ? std::string_view{} : text.substr(at + mark.size());
}

// "[sdp] 10.9.0.1:20054>10.9.0.1:30030 0x61b36857 g711U n=350 lost=0 maxjit=1.983; …"
void read_streams(std::string_view text, Facts& facts) {
    for (const auto& part : split(after(text, "] "), ';')) {
        const auto hex = after(part, " 0x");
        if (hex.empty()) {
            continue;
        }
        StreamFact fact;
        std::from_chars(hex.data(), hex.data() + 8, fact.ssrc, 16);
        const auto first = part.find_first_not_of(' ');
        const auto arrow = part.find('>');
        fact.source = part.substr(first, arrow - first);
        fact.destination = part.substr(arrow + 1, part.find(' ', arrow) - arrow - 1);
        fact.packets = number(after(part, " n="));
        fact.lost = static_cast<std::int64_t>(number(after(part, "lost=")));
        fact.max_jitter_ms = std::strtod(std::string{after(part, "maxjit=")}.c_str(), nullptr);
        facts.streams.push_back(fact);
    }
}

// The table's short names of cipher suites; others stand there as numbers.
std::string suite_of(std::string_view text) {
    static const std::map<std::string_view, std::string_view> names{
        {"AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"},
        {"AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"},
        {"RSA_AES128_GCM_SHA256", "TLS_RSA_WITH_AES_128_GCM_SHA256"},
        {"ECDHE_RSA_AES128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"},
        {"ECDHE_RSA_AES128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
        {"ECDHE_RSA_AES256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
        {"ECDHE_RSA_AES256_CBC_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"},
        {"ECDHE_RSA_CHACHA20", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"},
    };
    if (text.starts_with("0x")) {
        std::uint16_t value = 0;
        std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
        return capture::tls::suite_name(value);
    }
    const auto at = names.find(text);
    return at == names.end() ? std::string{text} : std::string{at->second};
}

// "TLS1.3/AES_256_GCM_SHA384 x3, TLS1.2/0xc02b x1"; DTLS and drafts are left out.
void read_server_hellos(std::string_view text, Facts& facts) {
    for (const auto& part : split(text, ',')) {
        const std::string_view entry{part};
        const auto begin = entry.find("TLS1.");
        const auto slash = entry.find('/');
        const auto times = entry.rfind(" x");
        const bool plain =
            begin != std::string_view::npos && (begin == 0 || entry[begin - 1] == ' ');
        if (!plain || times == std::string_view::npos ||
            entry.find('+') != std::string_view::npos) {
            continue;
        }
        const auto suite = suite_of(entry.substr(slash + 1, times - slash - 1));
        const auto key = "TLSv1." + std::string{entry.substr(begin + 5, 1)} + " " + suite;
        facts.server_hellos[key] += number(entry.substr(times + 2));
    }
}

// "keylog lab/x.keylog", or "rsa ""./dir/x.key"","""""
std::string key_file(std::string_view text) {
    if (text.starts_with("keylog ")) {
        return std::string{text.substr(7)};
    }
    const auto path = after(text, "\"\"");
    return std::string{path.substr(0, path.find('"'))};
}

} // namespace

std::string captures_folder() {
    const auto folder = std::filesystem::path{CALLWRIGHT_SHARED_DIR} / "material" / "captures";
    return std::filesystem::exists(folder / "expected.tsv") ? folder.string() : std::string{};
}

std::vector<Facts> read_facts() {
    std::vector<Facts> all;
    std::ifstream table{captures_folder() + "/expected.tsv"};
    std::string line;
    std::getline(table, line); // the heads of the columns
    while (std::getline(table, line)) {
        const auto columns = split(line, '\t');
        if (columns.size() < 16) {
            continue;
        }
        Facts facts;
        facts.file = columns[0];
        facts.packets = number(columns[4]);
        facts.overridden = !columns[7].empty();
        facts.sip_messages = number(facts.overridden ? columns[7] : columns[6]);
        facts.call_ids = number(columns[8]);
        facts.requests = counts(columns[9]);
        facts.statuses = counts(columns[10]);
        read_server_hellos(columns[12], facts);
        read_streams(columns[13], facts);
        facts.keys = key_file(columns[14]);
        all.push_back(std::move(facts));
    }
    return all;
}

} // namespace cw::test
