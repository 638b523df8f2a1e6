#include <array>
#include <utility>

#include <fmt/format.h>

#include "script/fact.hpp"
#include "script/registry.hpp"

namespace cw::script {
namespace {

template <class Enum, std::size_t count>
std::string_view pick(const std::array<std::string_view, count>& names, Enum value) {
    return names[static_cast<std::size_t>(value)];
}

constexpr std::array<std::string_view, 18> words{
    "no SDP",  "hold",    "resume",     "digest",    "wrong password", "AKA",
    "new key", "no call", "tampered",   "tunnelled", "any time",       "keeps route",
    "mutual",  "resumed", "under test", "played",    "literal",        "fail"};
constexpr std::array<std::string_view, 9> abouts{
    "| ",          "to: ",          "then: ", "when: ",
    "otherwise: ", "transaction: ", "lost: ", "method matches: ",
    "does: "};
constexpr std::array<std::string_view, 5> protections{"SDP", "RTP", "SRTP", "DTLS-SRTP", "OSRTP"};
constexpr std::array<std::string_view, 3> hashes{"MD5", "SHA-256", "SHA-512-256"};
constexpr std::array<std::string_view, 3> keys{"RSA", "ECDSA", "Ed25519"};
constexpr std::array<std::string_view, 4> faults{"expired certificate", "untrusted certificate",
                                                 "wrong name", "no certificate"};
constexpr std::array<std::string_view, 4> party_faults{"expired", "untrusted", "wrong name",
                                                       "none"};
constexpr std::array<std::string_view, 4> roles{"proxy", "registrar", "B2BUA", "gateway"};
constexpr std::array<std::string_view, 7> transports{"UDP", "TCP",  "TLS", "WS",
                                                     "WSS", "SCTP", "HEP"};
constexpr std::array<std::string_view, 5> measures{"failures", "answers", "ringing",
                                                   "registrations", "handshakes"};

struct FactPrinter {
    std::string& out;
    Subject subject;
    bool beneath;
    const std::vector<std::string>& names;

    void put(std::string_view text) { out += text; }
    void put(std::string_view before, Duration time) {
        out += before;
        append(out, time);
    }
    void put(std::string_view before, const Template& text) {
        out += before;
        append(out, text, names);
    }
    void put(std::string_view before, const std::optional<PartyId>& party) {
        if (party) {
            out += before;
            out += names[*party];
        }
    }

    void operator()(Word word) { put(pick(words, word)); }
    void operator()(const Description& fact) {
        out += fmt::format("{} {}", pick(protections, fact.protection),
                           fact.answer ? "answer" : "offer");
    }
    void operator()(const Algorithm& fact) { put(pick(hashes, fact.hash)); }
    void operator()(const Signed& fact) {
        put("signed");
        put(" by ", fact.by);
    }
    void operator()(const Encrypted& fact) {
        put("encrypted");
        put(" for ", fact.recipient);
    }
    void operator()(const InCall& fact) {
        if (fact.call > 0) {
            out += fmt::format("call {}{}", fact.call, fact.replaces > 0 ? " " : "");
        }
        if (fact.replaces > 0) {
            out += fmt::format("replaces call {}", fact.replaces);
        }
    }
    void operator()(const Answers& fact) { put(to_string(fact.method)); }
    void operator()(const Sipfrag& fact) {
        out += fmt::format("{}{}{}", fact.status, fact.phrase.empty() ? "" : " ", fact.phrase);
    }
    void operator()(const Within& fact) { put("within ", fact.time); }
    void operator()(const After& fact) { put("after ", fact.time); }
    void operator()(const Header& fact) {
        if (fact.absent) {
            out += fmt::format("no {}", fact.name);
            return;
        }
        out += fmt::format("{}:", fact.name);
        std::string value;
        append(value, fact.value, names);
        for (const auto& name : fact.without) {
            value += fmt::format("{}no {}", value.empty() ? "" : ", ", name);
        }
        out += value.empty() ? "" : " ";
        out += value;
    }
    void operator()(const SdpLine& fact) {
        out += fact.absent ? "no " : "";
        out += fact.letter;
        put("=", fact.value);
    }
    void operator()(const Said& fact) {
        const auto about = pick(abouts, fact.about);
        put(fact.text.empty() ? about.substr(0, about.size() - 1) : about);
        put(fact.text);
    }
    void operator()(const Body& fact) { out += fmt::format("body: {}", fact.file); }
    void operator()(const ServerName& fact) { put(fact.name); }
    void operator()(const Key& fact) {
        put(subject == Subject::Party ? "certificate: " : "");
        put(pick(keys, fact.kind));
    }
    void operator()(const BadCertificate& fact) {
        if (subject == Subject::Party) {
            out += fmt::format("certificate: {}", pick(party_faults, fact.fault));
            return;
        }
        put(pick(faults, fact.fault));
        put(" of ", fact.of);
    }
    void operator()(const Alert& fact) { out += fmt::format("alert {}", alert_name(fact.code)); }
    void operator()(const Cipher& fact) { out += fmt::format("cipher {}", fact.name); }
    void operator()(const Lasts& fact) { put("", fact.time); }
    void operator()(const Codec& fact) { put(fact.name); }
    void operator()(const Suite& fact) { put(fact.name); }
    void operator()(const LossBelow& fact) {
        put("loss < ");
        append(out, fact.share);
    }
    void operator()(const JitterBelow& fact) { put("jitter < ", fact.time); }
    void operator()(const MosAbove& fact) {
        out += fmt::format("MOS > {}", fact.hundredths / 100);
        if (fact.hundredths % 100 != 0) {
            auto decimals = fmt::format(".{:02}", fact.hundredths % 100);
            decimals.erase(decimals.find_last_not_of('0') + 1);
            out += decimals;
        }
    }
    void operator()(const InRole& fact) { put(pick(roles, fact.role)); }
    void operator()(const IpVersion& fact) { put(fact.version == 4 ? "IPv4" : "IPv6"); }
    void operator()(const Over& fact) { put(pick(transports, fact.transport)); }
    void operator()(const PartyUri& fact) { put(beneath ? "uri: " : "", fact.uri); }
    void operator()(const At& fact) {
        const bool brackets = fact.host.find(':') != std::string::npos;
        out += fmt::format("at: {}:{}{}{}:{}", to_string(fact.transport), brackets ? "[" : "",
                           fact.host, brackets ? "]" : "", fact.port);
    }
    void operator()(const User& fact) { put("user: ", fact.name); }
    void operator()(const Password& fact) {
        put("password: ");
        append(out, fact.secret, names);
    }
    void operator()(const CertificateFile& fact) {
        out += fmt::format("certificate: {}", fact.file);
    }
    void operator()(const Trusts& fact) {
        out += fmt::format("trusts: {}", fact.whom == Trusts::Whom::Anyone   ? "anyone"
                                         : fact.whom == Trusts::Whom::Nobody ? "nobody"
                                                                             : fact.file);
    }
    void operator()(const Codecs& fact) {
        put("codecs: ");
        for (std::size_t i = 0; i < fact.names.size(); ++i) {
            out += fmt::format("{}{}", i == 0 ? "" : ", ", fact.names[i]);
        }
    }
    void operator()(const ViaParty& fact) { out += fmt::format("via: {}", names[fact.party]); }
    void operator()(const Weight& fact) { append(out, fact.share); }
    void operator()(const Times& fact) { out += fmt::format("{} times", fact.count); }
    void operator()(const Gap& fact) { put("", fact.time); }
    void operator()(const Every& fact) { put("every ", fact.time); }
    void operator()(const Load& fact) {
        const char unit = fact.per == seconds(1) ? 's' : fact.per == seconds(60) ? 'm' : 'h';
        out += fmt::format("load: {} calls/{}", fact.calls, unit);
        if (fact.length) {
            put(" for ", *fact.length);
        }
        if (fact.ramp) {
            put(", ramp ", *fact.ramp);
        }
        if (fact.total) {
            out += fmt::format(", {} calls", *fact.total);
        }
    }
    void operator()(const Pass& fact) {
        put("pass: ");
        for (const auto& criterion : fact.criteria) {
            put(&criterion == fact.criteria.data() ? "" : ", ");
            if (criterion.of == Criterion::Of::Failures) {
                put("failures < ");
                append(out, criterion.share);
                continue;
            }
            append(out, criterion.share);
            out += fmt::format(" of {} < ", pick(measures, criterion.of));
            append(out, criterion.time);
        }
        bool first = fact.criteria.empty();
        for (const auto demand : fact.demands) {
            put(first ? "" : ", ");
            put(demand_words[static_cast<std::size_t>(demand)]);
            first = false;
        }
    }
    void operator()(const Before& fact) { out += fmt::format("before: {}", fact.file); }
    void operator()(const Timeout& fact) { put("timeout: ", fact.time); }
    void operator()(const Set& fact) { out += fmt::format("set: {} = {}", fact.name, fact.value); }
    void operator()(const CorrelateBy& fact) {
        out += fmt::format("set: correlate by {}", to_string(fact.header));
    }
    void operator()(const RowsFrom& fact) { out += fmt::format("set: rows from {}", fact.file); }
};

} // namespace

void append(std::string& out, const Fact& fact, Subject subject,
            const std::vector<std::string>& party_names) {
    std::visit(FactPrinter{out, subject, fact.beneath, party_names}, fact.value);
}

} // namespace cw::script
