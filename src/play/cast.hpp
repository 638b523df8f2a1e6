// Who plays what: for each party of a flow its address, its credentials, how it speaks and where it
// is reached. Made from the plan alone; then the host says where it has opened the sockets.
// Values that own what they hold.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "rtp/audio_source.hpp"
#include "script/literal/program.hpp"
#include "script/plan.hpp"
#include "sip/transport.hpp"

namespace cw::script::sipp {
class Tables;
}

namespace cw::play {

inline constexpr std::size_t transport_count = 7; // of sip::Transport

// An RTP socket and the RTCP socket beside it; media sockets are numbered by the Cast.
struct MediaPlace {
    std::uint32_t socket = 0; // of RTP; that of RTCP has the next number
    Endpoint rtp;
    Endpoint rtcp;
    bool ipv6 = false;
};

// The second stream of somebody who stands in the middle of a call, as a gateway does: that towards
// the called party.
constexpr script::CallId inner_leg(script::CallId call) {
    return static_cast<script::CallId>(call | 0x4000);
}

struct Member {
    script::Control control = script::Control::Played;
    bool actor = false;
    std::string id;
    std::string name;                   // its name in certificates and for SNI: "proxy.example.com"
    std::string uri;                    // its address of record: "sip:alice@example.com"
    std::string user;                   // of the URI
    std::string domain;                 // of the URI
    std::string login;                  // what it authenticates as
    std::string password;               // made up, unless the flow says where it comes from
    std::optional<sip::Transport> over; // unsaid: TLS
    bool ipv6 = false;
    std::string certificate; // a PEM file, certificate and key; empty: one that is made for the run
    std::optional<script::KeyKind> key;   // …with a key of this kind
    std::optional<script::Fault> fault;   // …and this wrong with it
    std::optional<script::Trusts> trusts; // unsaid: the run's own CA
    std::string fingerprint; // "sha-256 0A:…", of its certificate for DTLS; filled in by the host
    std::vector<std::string> codecs;
    std::optional<script::PartyId> via; // its requests go there first
    // How others come to it, filled in by the host: for those it listens on.
    std::array<std::optional<Endpoint>, transport_count> at;
    // The same by IPv6, for who speaks both: somebody between an IPv6 phone and an IPv4 one.
    std::array<std::optional<Endpoint>, transport_count> at6;
    bool both_families = false;
    std::optional<std::uint32_t> udp6; // its second UDP socket; the first has the party's number
    std::vector<bool> listens = std::vector<bool>(transport_count, false); // to be opened
    std::map<script::CallId, MediaPlace> media; // a pair of sockets a call with media
};

// Which phones register although the flow does not draw it: those that an embedded server is to
// find, or that any server is to find.
enum class Enrol : std::uint8_t { AtEmbedded, Everywhere, Nobody };

// What the command line and the environment give a flow.
struct Given {
    std::map<std::string, std::string> set;       // --set KEY=VALUE
    std::map<std::string, std::string> row;       // {row.…}: one line of the CSV file
    std::shared_ptr<script::sipp::Tables> tables; // SIPp's injection files, for literal parties
    std::map<std::string, std::string> environment;
    std::map<std::string, std::string> files; // what `body:` names, read by the host
    // What literal parties stream and replay, as it stands in the files.
    std::map<std::string, std::shared_ptr<const std::string>> recordings;
    std::map<std::string, std::shared_ptr<const rtp::Samples>> sounds; // …and what `says` does
    std::string folder;       // of the flow: where the files that it names are
    std::uint64_t number = 1; // {n}
    std::uint64_t seed = 1;   // for passwords, tags and what the flow leaves to chance
    std::string mark;         // begins every Call-ID that our parties make
    Enrol enrol = Enrol::AtEmbedded;
    bool enrol_only = false; // nothing else is performed
    Duration record{};       // how much of what each party hears is kept, a call
    bool media = true;       // false: sessions are agreed upon, and nothing is said in them
};

struct Cast {
    std::vector<Member> members;     // by PartyId
    std::uint32_t media_sockets = 0; // how many are needed
    // For bodies that are signed or encrypted, filled in by the host. PEM.
    struct Bodies {
        std::string ca;                             // certificate and key; empty: one is made
        std::string trusted;                        // more CAs
        std::map<script::PartyId, std::string> own; // what `certificate:` of a party names
    } bodies;
    // Of the literal parties: what they do. Made once, for all performances of the flow.
    std::vector<std::shared_ptr<const script::literal::Program>> programs;

    // How requests go from one to the other: what either says, TLS where neither does. When both
    // say something, the one who is called decides.
    [[nodiscard]] sip::Transport transport(script::PartyId from, script::PartyId to) const;
    // Where `party` says that it is reached: "<sip:alice@127.0.0.1:40000;transport=tls>" without
    // its brackets. `over` is the transport of the message that says it.
    [[nodiscard]] std::string contact(script::PartyId party, sip::Transport over, bool sips = false,
                                      bool v6 = false) const;
    // "127.0.0.1:40000", for Via.
    [[nodiscard]] std::string sent_by(script::PartyId party, sip::Transport over,
                                      bool v6 = false) const;
    // Where `to` is reached by `from`.
    [[nodiscard]] std::optional<Endpoint> reach(script::PartyId from, script::PartyId to,
                                                sip::Transport over) const;
    // Which party listens there.
    [[nodiscard]] std::optional<script::PartyId> find(const Endpoint& at) const;
};

struct CastError {
    script::Place place;
    std::string what;
};
std::expected<Cast, CastError> make_cast(const script::Plan& plan, const Given& given);

// By party: the server that it registers at before the flow begins, if it has to.
std::vector<std::optional<script::PartyId>> registrars(const script::Plan& plan, Enrol enrol);

// "tls" → the transport parameter of a URI.
std::string_view uri_transport(sip::Transport transport);
// "TLS", for Via.
std::string_view via_transport(sip::Transport transport);

} // namespace cw::play
