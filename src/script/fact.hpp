// Facts: what a flow says in (parentheses) or on the %% lines beneath a statement. Each kind of
// fact is a type of its own; which words make which is written once, in vocabulary.cpp. Values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "script/place.hpp"
#include "script/value.hpp"
#include "sip/header.hpp"
#include "sip/method.hpp"
#include "sip/transport.hpp"

namespace cw::script {

// What facts can be about.
enum class Subject : std::uint8_t { Message, Channel, Media, Party, Block, Flow };

// Messages.
// Osrtp: RTP, or SRTP where the other side takes it [RFC 8643].
enum class Protection : std::uint8_t { Sdp, Rtp, Srtp, DtlsSrtp, Osrtp };
struct Description { // "SRTP offer"
    Protection protection = Protection::Sdp;
    bool answer = false;
    bool operator==(const Description&) const = default;
};
enum class Word : std::uint8_t { // facts that are said by their name alone
    NoSdp,
    Hold,
    Resume,
    Digest,
    WrongPassword,
    Aka,
    NewKey,     // other SRTP keys than before
    NoCall,     // outside of any call
    Tampered,   // the body is changed after it was signed or encrypted
    Tunnelled,  // the whole message is within its body too [RFC 3261 §23.4]
    AnyTime,    // it may come at any time from here on
    KeepsRoute, // its Record-Route and Contact are where requests go from now on
    Mutual,
    Resumed,
    UnderTest,
    Played,
    Literal, // what it sends is written out, and nothing is done by itself
    Fail,
};
enum class Hash : std::uint8_t { Md5, Sha256, Sha512Half }; // the digest algorithms of RFC 8760
struct Algorithm {
    Hash hash = Hash::Sha256;
    bool operator==(const Algorithm&) const = default;
};
struct Signed {
    std::optional<PartyId> by; // unsaid: by its sender
    bool operator==(const Signed&) const = default;
};
struct Encrypted {
    std::optional<PartyId> recipient; // unsaid: for whom it is addressed to
    bool operator==(const Encrypted&) const = default;
};
struct InCall { // "call 2", "replaces call 1", "call 2 replaces call 1"
    CallId call = 0;
    CallId replaces = 0;
    bool operator==(const InCall&) const = default;
};
struct Answers { // the request that a response belongs to, where it is not the latest
    sip::Method method = sip::Method::None;
    bool operator==(const Answers&) const = default;
};
struct Sipfrag { // the body of a NOTIFY about a REFER [RFC 3515 §2.4.5]
    std::uint16_t status = 0;
    std::string phrase;
    bool operator==(const Sipfrag&) const = default;
};
struct Within {
    Duration time;
    bool operator==(const Within&) const = default;
};
struct After {
    Duration time;
    bool operator==(const After&) const = default;
};
struct Header { // "Require: 100rel", "no Via"
    sip::HeaderId id = sip::HeaderId::Other;
    std::string name; // as written
    bool absent = false;
    Template value;
    std::vector<std::string> without; // parameters that must not be there: "no ck"
    bool operator==(const Header&) const = default;
};
struct SdpLine { // "m=audio * RTP/AVP 0", "no a=crypto"
    char letter = 0;
    bool absent = false;
    Template value;
    bool operator==(const SdpLine&) const = default;
};
struct Body { // the file that the body is read from
    std::string file;
    bool operator==(const Body&) const = default;
};

// What is said about the steps of a literal party; literal/ has its meaning.
struct Said {
    enum class About : std::uint8_t {
        Line,        // "| Subject: Hello": a line of the message
        To,          // "to: sip:[service]@[remote_ip]": the address in the request line
        Then,        // "then: 5 if known": where it goes on
        When,        // "when: known": it happens only if
        Otherwise,   // "otherwise: 5": where it goes on when it does not come
        Transaction, // "transaction: a": a name for branch parameters
        Lost,        // "lost: 10%": so often it does not get through
        Matches,     // "method matches: INV|OPT": what is awaited, instead of the one drawn
        Does,        // "does: take 1 from body by /…/"
    };
    About about = About::Line;
    std::string text;
    bool operator==(const Said&) const = default;
};

// Connections.
struct ServerName {
    std::string name;
    bool operator==(const ServerName&) const = default;
};
enum class KeyKind : std::uint8_t { Rsa, Ecdsa, Ed25519 };
struct Key {
    KeyKind kind = KeyKind::Ecdsa;
    bool operator==(const Key&) const = default;
};
enum class Fault : std::uint8_t { Expired, Untrusted, WrongName, None };
struct BadCertificate {
    Fault fault = Fault::Expired;
    std::optional<PartyId> of; // unsaid: of the side that opens the connection
    bool operator==(const BadCertificate&) const = default;
};
struct Alert { // the TLS alert that ends the handshake [RFC 8446 §6]
    std::uint8_t code = 0;
    bool operator==(const Alert&) const = default;
};
struct Cipher {
    std::string name; // "TLS_AES_256_GCM_SHA384"
    bool operator==(const Cipher&) const = default;
};

// Media.
struct Lasts {
    Duration time;
    bool operator==(const Lasts&) const = default;
};
struct Codec {
    std::string name;
    bool operator==(const Codec&) const = default;
};
struct Suite { // an SRTP crypto suite, by its name in SDP [RFC 4568 §6.2]
    std::string name;
    bool operator==(const Suite&) const = default;
};
struct LossBelow {
    Percent share;
    bool operator==(const LossBelow&) const = default;
};
struct JitterBelow {
    Duration time;
    bool operator==(const JitterBelow&) const = default;
};
struct MosAbove {
    std::uint16_t hundredths = 0;
    bool operator==(const MosAbove&) const = default;
};

// Parties.
enum class Role : std::uint8_t { Proxy, Registrar, B2bua, Gateway };
struct InRole {
    Role role = Role::Proxy;
    bool operator==(const InRole&) const = default;
};
struct IpVersion {
    std::uint8_t version = 4;
    bool operator==(const IpVersion&) const = default;
};
struct Over {
    sip::Transport transport = sip::Transport::Tls;
    bool operator==(const Over&) const = default;
};
struct PartyUri {
    Template uri;
    bool operator==(const PartyUri&) const = default;
};
struct At { // where an external system is reached
    sip::Transport transport = sip::Transport::Tls;
    std::string host; // an IPv6 address without its brackets
    std::uint16_t port = 0;
    bool operator==(const At&) const = default;
};
struct User {
    Template name;
    bool operator==(const User&) const = default;
};
struct Password { // never a text of the file: {env.NAME} or {row.column}
    Variable secret;
    bool operator==(const Password&) const = default;
};
struct CertificateFile {
    std::string file;
    bool operator==(const CertificateFile&) const = default;
};
struct Trusts {
    enum class Whom : std::uint8_t { File, Anyone, Nobody };
    Whom whom = Whom::File;
    std::string file;
    bool operator==(const Trusts&) const = default;
};
struct Codecs {
    std::vector<std::string> names; // in order of preference
    bool operator==(const Codecs&) const = default;
};
struct ViaParty { // its requests go there first
    PartyId party = 0;
    bool operator==(const ViaParty&) const = default;
};

// Blocks.
struct Weight {
    Percent share;
    bool operator==(const Weight&) const = default;
};
struct Times {
    std::uint32_t count = 0;
    bool operator==(const Times&) const = default;
};
struct Gap {
    Duration time;
    bool operator==(const Gap&) const = default;
};
struct Every {
    Duration time;
    bool operator==(const Every&) const = default;
};

// The whole flow.
struct Load { // "50 calls/s for 10m, ramp 1m"
    std::uint32_t calls = 0;
    Duration per;
    std::optional<Duration> length;
    std::optional<std::uint32_t> total;
    std::optional<Duration> ramp;
    bool operator==(const Load&) const = default;
};
struct Criterion { // "failures < 0.1%", "95% of answers < 800ms"
    enum class Of : std::uint8_t { Failures, Answers, Ringing, Registrations, Handshakes };
    Of of = Of::Failures;
    Percent share;
    Duration time; // not for Failures
    bool operator==(const Criterion&) const = default;
};
// How what is performed has to be protected; decided by what went over the wire.
enum class Demand : std::uint8_t {
    HopTls,
    HopTls12,
    HopTls13,
    HopVerified,
    MediaSrtp,
    MediaDtlsSrtp
};
inline constexpr std::array<std::string_view, 6> demand_words{
    "every hop TLS",     "every hop TLS 1.2 or better",
    "every hop TLS 1.3", "every hop verified",
    "media SRTP",        "media DTLS-SRTP"};

struct Pass {
    std::vector<Criterion> criteria;
    std::vector<Demand> demands;
    bool operator==(const Pass&) const = default;
};
struct Before { // a flow that is performed first; its calls and registrations live on
    std::string file;
    bool operator==(const Before&) const = default;
};
struct Timeout {
    Duration time;
    bool operator==(const Timeout&) const = default;
};
struct Set { // "set: user = alice": a variable and its value unless --set gives another
    std::string name;
    std::string value;
    bool operator==(const Set&) const = default;
};
struct CorrelateBy { // which header tells concurrent calls apart behind a B2BUA
    sip::HeaderId header = sip::HeaderId::To;
    bool operator==(const CorrelateBy&) const = default;
};
struct RowsFrom { // the CSV file of {row.…}
    std::string file;
    bool operator==(const RowsFrom&) const = default;
};

using FactValue =
    std::variant<Word, Description, Algorithm, Signed, Encrypted, InCall, Answers, Sipfrag, Within,
                 After, Header, SdpLine, Body, Said, ServerName, Key, BadCertificate, Alert, Cipher,
                 Lasts, Codec, Suite, LossBelow, JitterBelow, MosAbove, InRole, IpVersion, Over,
                 PartyUri, At, User, Password, CertificateFile, Trusts, Codecs, ViaParty, Weight,
                 Times, Gap, Every, Load, Pass, Before, Timeout, Set, CorrelateBy, RowsFrom>;

struct Fact {
    Place place;
    bool beneath = false; // on a %% line of its own, where the picture does not show it
    FactValue value;
    bool operator==(const Fact&) const = default;
};
using Facts = std::vector<Fact>;

// The first fact of a kind, or nullptr.
template <class T>
const T* find(const Facts& facts) {
    for (const auto& fact : facts) {
        if (const auto* value = std::get_if<T>(&fact.value)) {
            return value;
        }
    }
    return nullptr;
}
inline bool says(const Facts& facts, Word word) {
    for (const auto& fact : facts) {
        const auto* said = std::get_if<Word>(&fact.value);
        if (said != nullptr && *said == word) {
            return true;
        }
    }
    return false;
}

// The fact as the language spells it, without parentheses or "%%".
void append(std::string& out, const Fact& fact, Subject subject,
            const std::vector<std::string>& party_names);

} // namespace cw::script
