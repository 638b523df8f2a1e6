#include "script/vocabulary.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/load.hpp"
#include "script/pattern.hpp"
#include "script/registry.hpp"
#include "script/words.hpp"

namespace cw::script {
namespace {

using Arguments = std::span<const Argument>;
// Nothing: it has complained.
using Made = std::optional<FactValue>;

// Makers for the rows of the table below; the arguments are those of the row's pattern.
template <Word word>
Made say(const Scope& /*scope*/, Arguments /*a*/) {
    return word;
}
template <class T>
Made alone(const Scope& /*scope*/, Arguments /*a*/) {
    return T{};
}
template <class T>
Made timed(const Scope& /*scope*/, Arguments a) {
    return T{a[0].time()};
}
template <class T>
Made shared(const Scope& /*scope*/, Arguments a) {
    return T{Percent{a[0].count()}};
}
template <class T>
Made named(const Scope& /*scope*/, Arguments a) {
    return T{std::string(a[0].text)};
}
template <class T>
Made of_party(const Scope& /*scope*/, Arguments a) {
    return T{a[0].party()};
}
template <class T, class Enum>
Made chosen(const Scope& /*scope*/, Arguments a) {
    return T{static_cast<Enum>(a[0].number)};
}
template <class T>
Made filled(const Scope& scope, Arguments a) {
    auto text = read_template(scope, a[0].text);
    return text ? Made{T{std::move(*text)}} : std::nullopt;
}
template <Fault fault>
Made bad(const Scope& /*scope*/, Arguments a) {
    return BadCertificate{fault, a.empty() ? std::nullopt : std::optional(a[0].party())};
}

Made description(const Scope& /*scope*/, Arguments a) {
    constexpr std::array order{Protection::Srtp, Protection::Rtp, Protection::DtlsSrtp,
                               Protection::Osrtp, Protection::Sdp};
    return Description{order[a[0].count()], a[1].number == 1};
}
template <Said::About about>
Made said(const Scope& /*scope*/, Arguments a) {
    return Said{about, std::string(a[0].text)};
}
Made in_call(const Scope& /*scope*/, Arguments a) {
    return InCall{static_cast<CallId>(a[0].number), 0};
}
Made replaces(const Scope& /*scope*/, Arguments a) {
    return InCall{0, static_cast<CallId>(a[0].number)};
}
Made in_call_replaces(const Scope& /*scope*/, Arguments a) {
    return InCall{static_cast<CallId>(a[0].number), static_cast<CallId>(a[1].number)};
}
Made answers(const Scope& /*scope*/, Arguments a) {
    return Answers{sip::method_of(a[0].text)};
}
Made sipfrag(const Scope& /*scope*/, Arguments a) {
    return Sipfrag{static_cast<std::uint16_t>(a[0].number),
                   std::string(a.size() > 1 ? a[1].text : std::string_view{})};
}
Made faulty_certificate(const Scope& /*scope*/, Arguments a) {
    constexpr std::array order{Fault::Expired, Fault::Untrusted};
    return BadCertificate{order[a[0].count()],
                          a.size() > 1 ? std::optional(a[1].party()) : std::nullopt};
}
Made alert(const Scope& /*scope*/, Arguments a) {
    return Alert{static_cast<std::uint8_t>(a[0].number)};
}
Made mos(const Scope& /*scope*/, Arguments a) {
    return MosAbove{static_cast<std::uint16_t>(a[0].number)};
}
Made ip_version(const Scope& /*scope*/, Arguments a) {
    return IpVersion{static_cast<std::uint8_t>(a[0].number == 0 ? 4 : 6)};
}
Made over(const Scope& /*scope*/, Arguments a) {
    constexpr std::array order{sip::Transport::Udp, sip::Transport::Tcp, sip::Transport::Tls,
                               sip::Transport::Wss};
    return Over{order[a[0].count()]};
}
Made times(const Scope& /*scope*/, Arguments a) {
    return Times{a[0].count()};
}
Made trusts(const Scope& /*scope*/, Arguments a) {
    return Trusts{a[0].number == 0 ? Trusts::Whom::Anyone : Trusts::Whom::Nobody, {}};
}
Made trusts_file(const Scope& /*scope*/, Arguments a) {
    return Trusts{Trusts::Whom::File, std::string(a[0].text)};
}
Made correlate(const Scope& /*scope*/, Arguments a) {
    return CorrelateBy{static_cast<sip::HeaderId>(a[0].number)};
}
Made set(const Scope& /*scope*/, Arguments a) {
    return Set{std::string(a[0].text), std::string(a[1].text)};
}

Made password(const Scope& scope, Arguments a) {
    auto text = read_template(scope, a[0].text);
    if (!text) {
        return std::nullopt;
    }
    if (text->pieces.size() == 1) {
        const auto* variable = std::get_if<Variable>(&text->pieces[0]);
        if (variable != nullptr &&
            (variable->kind == Variable::Kind::Env || variable->kind == Variable::Kind::Row)) {
            return Password{*variable};
        }
    }
    scope.complaints.error(scope.line.place(a[0].text), "a password does not belong in a flow",
                           "{env.NAME}, from the environment, or {row.column}, from the CSV file");
    return std::nullopt;
}

// "tls:sbc.example.com:5061", "udp:[2001:db8::1]:5060".
Made at(const Scope& scope, Arguments a) {
    constexpr std::array<std::pair<std::string_view, sip::Transport>, 4> prefixes{{
        {"tls:", sip::Transport::Tls},
        {"udp:", sip::Transport::Udp},
        {"tcp:", sip::Transport::Tcp},
        {"wss:", sip::Transport::Wss},
    }};
    for (const auto& [prefix, transport] : prefixes) {
        auto host = a[0].text;
        if (!host.starts_with(prefix)) {
            continue;
        }
        host.remove_prefix(prefix.size());
        const auto colon = host.rfind(':');
        const auto port = colon == std::string_view::npos
                              ? std::nullopt
                              : parse_number<std::uint16_t>(host.substr(colon + 1));
        host = host.substr(0, colon);
        const bool bracketed = host.starts_with('[') && host.ends_with(']');
        host = bracketed ? host.substr(1, host.size() - 2) : host;
        if (port && *port > 0 && !host.empty() && (bracketed || host.find(':') == host.npos)) {
            return At{transport, std::string(host), *port};
        }
    }
    scope.complaints.error(scope.line.place(a[0].text), "this is not where a system can be reached",
                           "tls:HOST:PORT, or udp:, tcp:, wss:");
    return std::nullopt;
}

Made codec_list(const Scope& scope, Arguments a) {
    Codecs out;
    for (const auto name : split_facts(a[0].text)) {
        if (!is_one_of(codecs, name) || out.names.size() == codecs.size()) {
            scope.complaints.error(
                scope.line.place(name), fmt::format("“{}” is not a codec", name),
                "PCMU, PCMA, G722, G729, opus or telephone-event, commas between",
                std::string(nearest(name, codecs)));
            return std::nullopt;
        }
        out.names.emplace_back(name);
    }
    return out;
}

Made load(const Scope& scope, Arguments a) {
    auto out = read_load(scope, a[0].text);
    return out ? Made{std::move(*out)} : std::nullopt;
}
Made pass(const Scope& scope, Arguments a) {
    auto out = read_pass(scope, a[0].text);
    return out ? Made{std::move(*out)} : std::nullopt;
}

struct Row {
    Subject subject;
    std::string_view pattern;
    Made (*make)(const Scope&, Arguments);
};
// Of two rows that match, the first is meant.
constexpr auto rows = std::to_array<Row>({
    {Subject::Message, "SRTP|RTP|DTLS-SRTP|OSRTP|SDP offer|answer", description},
    {Subject::Message, "no SDP", say<Word::NoSdp>},
    {Subject::Message, "hold", say<Word::Hold>},
    {Subject::Message, "resume", say<Word::Resume>},
    {Subject::Message, "digest", say<Word::Digest>},
    {Subject::Message, "wrong password", say<Word::WrongPassword>},
    {Subject::Message, "AKA", say<Word::Aka>},
    {Subject::Message, "new key", say<Word::NewKey>},
    {Subject::Message, "no call", say<Word::NoCall>},
    {Subject::Message, "MD5|SHA-256|SHA-512-256", chosen<Algorithm, Hash>},
    {Subject::Message, "signed", alone<Signed>},
    {Subject::Message, "signed by $party", of_party<Signed>},
    {Subject::Message, "encrypted", alone<Encrypted>},
    {Subject::Message, "encrypted for $party", of_party<Encrypted>},
    {Subject::Message, "tampered", say<Word::Tampered>},
    {Subject::Message, "tunnelled", say<Word::Tunnelled>},
    {Subject::Message, "expired|untrusted certificate", faulty_certificate},
    {Subject::Message, "call $count", in_call},
    {Subject::Message, "call $count replaces call $count", in_call_replaces},
    {Subject::Message, "replaces call $count", replaces},
    {Subject::Message,
     "INVITE|BYE|CANCEL|REGISTER|OPTIONS|PRACK|SUBSCRIBE|NOTIFY|PUBLISH|INFO|REFER|MESSAGE|UPDATE",
     answers},
    {Subject::Message, "any time", say<Word::AnyTime>},
    {Subject::Message, "keeps route", say<Word::KeepsRoute>},
    {Subject::Message, "to: $rest", said<Said::About::To>},
    {Subject::Message, "then: $rest", said<Said::About::Then>},
    {Subject::Message, "when: $rest", said<Said::About::When>},
    {Subject::Message, "otherwise: $rest", said<Said::About::Otherwise>},
    {Subject::Message, "transaction: $rest", said<Said::About::Transaction>},
    {Subject::Message, "lost: $rest", said<Said::About::Lost>},
    {Subject::Message, "method matches: $rest", said<Said::About::Matches>},
    {Subject::Message, "does: $rest", said<Said::About::Does>},
    {Subject::Message, "within $duration", timed<Within>},
    {Subject::Message, "after $duration", timed<After>},
    {Subject::Message, "body: $file", named<Body>},
    {Subject::Message, "$suite", named<Suite>},
    {Subject::Message, "$status", sipfrag},
    {Subject::Message, "$status $rest", sipfrag},
    {Subject::Channel, "mutual", say<Word::Mutual>},
    {Subject::Channel, "resumed", say<Word::Resumed>},
    {Subject::Channel, "RSA|ECDSA|Ed25519", chosen<Key, KeyKind>},
    {Subject::Channel, "expired|untrusted certificate", faulty_certificate},
    {Subject::Channel, "expired|untrusted certificate of $party", faulty_certificate},
    {Subject::Channel, "wrong name", bad<Fault::WrongName>},
    {Subject::Channel, "wrong name of $party", bad<Fault::WrongName>},
    {Subject::Channel, "no certificate", bad<Fault::None>},
    {Subject::Channel, "no certificate of $party", bad<Fault::None>},
    {Subject::Channel, "alert $alert", alert},
    {Subject::Channel, "cipher $cipher", named<Cipher>},
    {Subject::Channel, "within $duration", timed<Within>},
    {Subject::Channel, "after $duration", timed<After>},
    {Subject::Channel, "$host", named<ServerName>},
    {Subject::Media, "loss < $percent", shared<LossBelow>},
    {Subject::Media, "jitter < $duration", timed<JitterBelow>},
    {Subject::Media, "MOS > $mos", mos},
    {Subject::Media, "$duration", timed<Lasts>},
    {Subject::Media, "$suite", named<Suite>},
    {Subject::Media, "$codec", named<Codec>},
    {Subject::Party, "under test", say<Word::UnderTest>},
    {Subject::Party, "played", say<Word::Played>},
    {Subject::Party, "literal", say<Word::Literal>},
    {Subject::Party, "proxy|registrar|B2BUA|gateway", chosen<InRole, Role>},
    {Subject::Party, "IPv4|IPv6", ip_version},
    {Subject::Party, "UDP|TCP|TLS|WSS", over},
    {Subject::Party, "uri: $uri", filled<PartyUri>},
    {Subject::Party, "$uri", filled<PartyUri>},
    {Subject::Party, "at: $file", at},
    {Subject::Party, "user: $file", filled<User>},
    {Subject::Party, "password: $rest", password},
    {Subject::Party, "certificate: RSA|ECDSA|Ed25519", chosen<Key, KeyKind>},
    {Subject::Party, "certificate: expired|untrusted", faulty_certificate},
    {Subject::Party, "certificate: wrong name", bad<Fault::WrongName>},
    {Subject::Party, "certificate: none", bad<Fault::None>},
    {Subject::Party, "certificate: $file", named<CertificateFile>},
    {Subject::Party, "trusts: anyone|nobody", trusts},
    {Subject::Party, "trusts: $file", trusts_file},
    {Subject::Party, "codecs: $rest", codec_list},
    {Subject::Party, "via: $party", of_party<ViaParty>},
    {Subject::Block, "$percent", shared<Weight>},
    {Subject::Block, "$count times", times},
    {Subject::Block, "every $duration", timed<Every>},
    {Subject::Block, "within $duration", timed<Within>},
    {Subject::Block, "$duration", timed<Gap>},
    {Subject::Block, "fail", say<Word::Fail>},
    {Subject::Flow, "load: $rest", load},
    {Subject::Flow, "pass: $rest", pass},
    {Subject::Flow, "before: $file", named<Before>},
    {Subject::Flow, "timeout: $duration", timed<Timeout>},
    {Subject::Flow, "set: correlate by $header", correlate},
    {Subject::Flow, "set: rows from $file", named<RowsFrom>},
    {Subject::Flow, "set: $name = $rest", set},
});

constexpr std::array<std::string_view, 6> of_what{
    "a message", "a connection", "media", "a party", "a block", "the whole flow",
};
constexpr std::array<std::string_view, 6> examples{
    "SRTP offer, digest, hold, call 2, within 2s, or a header as in Require: 100rel",
    "mutual, resumed, ECDSA, a server name, expired certificate, alert unknown_ca",
    "a time, a codec, an SRTP suite, loss < 1%, jitter < 20ms, MOS > 4",
    "under test, played, proxy, registrar, IPv6, TLS, uri:, at:, user:, certificate:, codecs:, "
    "via:",
    "30%, 3 times, 500ms, every 30s, within 800ms, fail",
    "load:, pass:, before:, timeout:, set:",
};

void complain_unknown(const Scope& scope, Subject subject, std::string_view text) {
    std::vector<std::string> known;
    for (const auto& row : rows) {
        if (row.subject == subject) {
            for (auto& words : beginnings(row.pattern)) {
                known.push_back(std::move(words));
            }
        }
    }
    if (subject == Subject::Message || subject == Subject::Media) {
        known.insert(known.end(), suites.begin(), suites.end());
    }
    const std::vector<std::string_view> views(known.begin(), known.end());
    auto near = nearest(text, views);
    if (near.empty()) {
        near = nearest(text.substr(0, text.find(' ')), views);
    }
    const auto index = std::to_underlying(subject);
    const bool secret = istarts_with(text, "password:");
    scope.complaints.error(scope.line.place(text),
                           fmt::format("“{}” is no fact about {}",
                                       secret ? "password:" : text.substr(0, 80), of_what[index]),
                           std::string(examples[index]), std::string(near));
}

void complain_partly(const Scope& scope, std::string_view text, const Match& best) {
    const auto where = best.stopped.empty() ? text.substr(text.size()) : best.stopped;
    const auto what = best.stopped.empty() ? fmt::format("“{}” is not complete", text)
                                           : fmt::format("“{}” does not fit here", best.stopped);
    auto near = std::string(nearest(best.stopped, best.choices));
    if (!near.empty()) { // the whole fact, up to there
        near.insert(0, text.substr(0, static_cast<std::size_t>(where.data() - text.data())));
    }
    scope.complaints.error(scope.line.place(where), what, best.expected, std::move(near));
}

} // namespace

std::optional<FactValue> read_fact(const Scope& scope, Subject subject, std::string_view text) {
    const auto words = split_words(text);
    Match best;
    for (const auto& row : rows) {
        if (row.subject != subject) {
            continue;
        }
        auto found = match(row.pattern, words, text, scope.names);
        if (found.complete) {
            return row.make(scope, found.arguments);
        }
        // "Begun well" needs a word of its own: a bare "$kind" may begin anything.
        if (found.words > best.words && !row.pattern.starts_with('$')) {
            best = std::move(found);
        }
    }
    if (best.words == 0) {
        complain_unknown(scope, subject, text);
    } else {
        complain_partly(scope, text, best);
    }
    return std::nullopt;
}

bool is_fact(const Names& names, Subject subject, std::string_view text) {
    const auto words = split_words(text);
    for (const auto& row : rows) {
        if (row.subject == subject && match(row.pattern, words, text, names).complete) {
            return true;
        }
    }
    return false;
}

} // namespace cw::script
