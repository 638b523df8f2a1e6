#include "play/cast.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "dialog/identifiers.hpp"
#include "play/values.hpp"
#include "sip/uri.hpp"

namespace cw::play {

using script::Control;
using script::PartyId;
using sip::Transport;

std::string_view uri_transport(Transport transport) {
    return transport == Transport::Wss ? "ws" : sip::to_string(transport);
}

std::string_view via_transport(Transport transport) {
    switch (transport) {
    case Transport::Udp:
        return "UDP";
    case Transport::Tcp:
        return "TCP";
    case Transport::Tls:
        return "TLS";
    case Transport::Ws:
        return "WS";
    case Transport::Wss:
        return "WSS";
    case Transport::Sctp:
        return "SCTP";
    case Transport::Hep:
        break;
    }
    return "UDP";
}

Transport Cast::transport(PartyId from, PartyId to) const {
    const auto& called = members[to];
    if (called.control == Control::External && called.over) {
        return *called.over;
    }
    return called.over.value_or(members[from].over.value_or(Transport::Tls));
}

std::optional<Endpoint> Cast::reach(PartyId from, PartyId to, Transport over) const {
    const auto place = static_cast<std::size_t>(over);
    const auto& called = members[to];
    return members[from].ipv6 && called.at6[place] ? called.at6[place] : called.at[place];
}

std::string Cast::sent_by(PartyId party, Transport over, bool v6) const {
    const auto& member = members[party];
    const auto place = static_cast<std::size_t>(over);
    if (v6 && member.at6[place]) {
        return to_string(*member.at6[place]);
    }
    if (member.at[place]) {
        return to_string(*member.at[place]);
    }
    for (const auto& other : member.at) {
        if (other) {
            return to_string(*other);
        }
    }
    return member.name;
}

std::string Cast::contact(PartyId party, Transport over, bool sips, bool v6) const {
    const auto& member = members[party];
    // "sips" says TLS by itself [RFC 5630 §3.1.4].
    const bool plain = over == Transport::Udp || (sips && over == Transport::Tls);
    return fmt::format("{}:{}@{}{}{}", sips ? "sips" : "sip",
                       member.user.empty() ? member.id : member.user, sent_by(party, over, v6),
                       plain ? "" : ";transport=", plain ? "" : uri_transport(over));
}

std::optional<PartyId> Cast::find(const Endpoint& at) const {
    for (std::size_t i = 0; i < members.size(); ++i) {
        if (std::ranges::find(members[i].at, std::optional{at}) != members[i].at.end() ||
            std::ranges::find(members[i].at6, std::optional{at}) != members[i].at6.end()) {
            return static_cast<PartyId>(i);
        }
    }
    return std::nullopt;
}

namespace {

void take(Member& member, const script::Fact& fact) {
    if (const auto* over = std::get_if<script::Over>(&fact.value)) {
        member.over = over->transport;
    } else if (const auto* ip = std::get_if<script::IpVersion>(&fact.value)) {
        member.ipv6 = ip->version == 6;
    } else if (const auto* codecs = std::get_if<script::Codecs>(&fact.value)) {
        member.codecs = codecs->names;
    } else if (const auto* certificate = std::get_if<script::CertificateFile>(&fact.value)) {
        member.certificate = certificate->file;
    } else if (const auto* key = std::get_if<script::Key>(&fact.value)) {
        member.key = key->kind;
    } else if (const auto* bad = std::get_if<script::BadCertificate>(&fact.value)) {
        member.fault = bad->fault;
    } else if (const auto* trusts = std::get_if<script::Trusts>(&fact.value)) {
        member.trusts = *trusts;
    } else if (const auto* via = std::get_if<script::ViaParty>(&fact.value)) {
        member.via = via->party;
    } else if (const auto* at = std::get_if<script::At>(&fact.value)) {
        member.over = at->transport;
        member.name = at->host;
    }
}

std::expected<void, CastError> name(Member& member, const script::Party& party,
                                    const Values& values) {
    member.uri = fmt::format("sip:{}@example.com", party.id);
    for (const auto& fact : party.facts) {
        const auto fill = [&](const script::Template& text,
                              std::string& into) -> std::expected<void, CastError> {
            std::string missing;
            auto filled = values.fill(text, {}, &missing);
            if (!filled) {
                return std::unexpected{CastError{fact.place, missing + " has no value"}};
            }
            into = std::move(*filled);
            return {};
        };
        std::expected<void, CastError> done;
        if (const auto* uri = std::get_if<script::PartyUri>(&fact.value)) {
            done = fill(uri->uri, member.uri);
        } else if (const auto* user = std::get_if<script::User>(&fact.value)) {
            done = fill(user->name, member.login);
        } else if (const auto* password = std::get_if<script::Password>(&fact.value)) {
            done = fill({{password->secret}}, member.password);
        }
        if (!done) {
            return done;
        }
    }
    const auto uri = sip::parse_uri(std::string_view{member.uri});
    if (!uri) {
        return std::unexpected{CastError{party.place, member.uri + " is not a SIP address"}};
    }
    member.user = uri->user;
    member.domain = uri->host;
    if (istarts_with(member.uri, "tel:")) { // a number is nobody's domain
        member.user = member.uri.substr(4, member.uri.find_first_of(";?") - 4);
        member.domain = "example.com";
    }
    return {};
}

// An embedded server is a proxy with a registrar, whatever is drawn.
std::string what_no_server_of_ours_is(const script::Party& party) {
    const auto* role = script::find<script::InRole>(party.facts);
    if (party.control != Control::Embedded || role == nullptr ||
        (role->role != script::Role::B2bua && role->role != script::Role::Gateway)) {
        return {};
    }
    const auto* what = role->role == script::Role::B2bua ? "B2BUA" : "gateway";
    return fmt::format(
        "{0} is drawn as a {1}, and the server that would be embedded is a proxy: it "
        "passes calls and descriptions on as they are. Say ({1}, played), and each "
        "leg is performed as drawn; or --at {0}=tls:HOST:PORT, where a real one is",
        party.id, what);
}

// A challenge of AKA that an embedded server would have to make: it asks for a digest alone.
std::optional<CastError> what_no_server_of_ours_asks(const script::Plan& plan) {
    for (const auto& step : plan.steps) {
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        if (arrow == nullptr || arrow->forwards || !script::says(arrow->facts, script::Word::Aka) ||
            !std::holds_alternative<script::Response>(arrow->content) ||
            plan.parties[arrow->from].control != Control::Embedded) {
            continue;
        }
        const auto& id = plan.parties[arrow->from].id;
        return CastError{step.place,
                         fmt::format("{0} is to ask for AKA, and the server that would be embedded "
                                     "asks for a digest alone. Say (played) of {0}; or --at "
                                     "{0}=tls:HOST:PORT, where a real one is",
                                     id)};
    }
    return std::nullopt;
}

// What a party is called in certificates, where the flow does not say it: letters, digits and
// hyphens are all that a host name has [RFC 952, RFC 1123 §2.1].
std::string host_name(std::string_view id, std::string_view domain) {
    std::string out;
    for (const char c : id) {
        const bool fits = is_alpha(c) || is_digit(c) || c == '.';
        out += fits ? c : '-';
    }
    const auto end = out.find_last_not_of("-.");
    out.erase(end == std::string::npos ? 0 : end + 1);
    return fmt::format("{}.{}", out.empty() ? "party" : out, domain);
}

bool passes_on(const script::Plan& plan, script::StepId received) {
    return std::ranges::any_of(plan.steps, [&](const script::Step& step) {
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        return arrow != nullptr && arrow->forwards == received;
    });
}

// What each party listens on, and which calls it has media in.
void find_places(const script::Plan& plan, Cast& cast) {
    const auto listen = [&](PartyId party, Transport over) {
        cast.members[party].listens[static_cast<std::size_t>(over)] = true;
    };
    for (script::StepId step_id = 0; step_id < plan.steps.size(); ++step_id) {
        const auto* arrow = std::get_if<script::Arrow>(&plan.steps[step_id].what);
        if (arrow == nullptr || script::is_shown(arrow->link)) {
            continue;
        }
        if (std::holds_alternative<script::Media>(arrow->content)) {
            continue;
        }
        const auto over = cast.transport(arrow->from, arrow->to);
        listen(arrow->to, over);
        listen(arrow->from, over);
        if (const auto* channel = std::get_if<script::Channel>(&arrow->content)) {
            if (channel->carrier == script::Carrier::Wss) {
                listen(arrow->to, Transport::Wss);
            }
        }
        for (const auto& [one, other] :
             {std::pair{arrow->from, arrow->to}, std::pair{arrow->to, arrow->from}}) {
            auto& member = cast.members[one];
            member.both_families =
                member.both_families || (!member.actor && !member.ipv6 && cast.members[other].ipv6);
        }
        const auto open_media = [&](PartyId party, script::CallId call, PartyId peer) {
            auto& media = cast.members[party].media;
            if (cast.members[party].control == Control::Played && !media.contains(call)) {
                media[call].ipv6 = cast.members[party].ipv6 ||
                                   (cast.members[party].both_families && cast.members[peer].ipv6);
                media[call].socket = cast.media_sockets;
                cast.media_sockets += 2;
            }
        };
        const auto* said = script::find<script::Description>(arrow->facts);
        // Proxies have no media, unless they say so; servers that call or answer have.
        const auto* request = std::get_if<script::Request>(&arrow->content);
        const bool invite = request != nullptr && request->method == sip::Method::Invite;
        for (const auto party : {arrow->from, arrow->to}) {
            const bool calls = invite && !arrow->forwards && party == arrow->from;
            const bool answers = invite && party == arrow->to && !passes_on(plan, step_id);
            if (arrow->call != 0 &&
                (cast.members[party].actor || said != nullptr || calls || answers)) {
                open_media(party, arrow->call, party == arrow->from ? arrow->to : arrow->from);
            }
        }
        if (said != nullptr && arrow->forwards && arrow->call != 0) {
            const auto& came = std::get<script::Arrow>(plan.steps[*arrow->forwards].what);
            open_media(arrow->from, arrow->call, came.from);
            open_media(arrow->from, inner_leg(arrow->call), arrow->to);
        }
    }
}

} // namespace

std::expected<Cast, CastError> make_cast(const script::Plan& plan, const Given& given) {
    Cast cast;
    const Values values{plan, given, cast};
    dialog::Identifiers names{given.seed ^ hash_bytes(plan.title)};
    for (const auto& party : plan.parties) {
        auto& member = cast.members.emplace_back();
        member.control = party.control;
        member.actor = party.actor;
        member.id = party.id;
        member.password = names.tag();
        for (const auto& fact : party.facts) {
            take(member, fact);
        }
        if (auto done = name(member, party, values); !done) {
            return std::unexpected{done.error()};
        }
        if (auto why = what_no_server_of_ours_is(party); !why.empty()) {
            return std::unexpected{CastError{party.place, std::move(why)}};
        }
        if (member.name.empty()) {
            member.name = host_name(party.id, member.domain);
        }
        if (member.login.empty()) {
            member.login = member.user;
        }
        // Two phones of one user have his credentials.
        for (std::size_t i = 0; i + 1 < cast.members.size(); ++i) {
            const auto& other = cast.members[i];
            if (other.uri == member.uri && other.login == member.login) {
                member.password = other.password;
            }
        }
        if (member.codecs.empty()) {
            member.codecs = {"PCMU", "telephone-event"};
        }
    }
    if (auto wrong = what_no_server_of_ours_asks(plan)) {
        return std::unexpected{std::move(*wrong)};
    }
    find_places(plan, cast);
    for (PartyId party = 0; party < plan.parties.size(); ++party) {
        if (script::is_literal(plan.parties[party])) {
            script::Complaints complaints; // the reader has made them
            cast.programs.push_back(std::make_shared<const script::literal::Program>(
                script::literal::compile(plan, party, complaints)));
        }
    }
    return cast;
}

} // namespace cw::play
