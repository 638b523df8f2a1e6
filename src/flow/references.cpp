#include "flow/references.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "sdp/known_lines.hpp"
#include "sip/multipart.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"

namespace cw::flow {
namespace {

using sip::HeaderId;
using sip::MessageView;
using Visit = std::function<void(const Reference&)>;

// "Call-ID;to-tag=…;from-tag=…", as Replaces, Join and Target-Dialog have it.
std::string_view before_params(std::string_view value) {
    return trim(value.substr(0, value.find(';')));
}

// A Session-ID names both ends of the communication; an end not yet known is all zeros
// [RFC 7989 §5].
void visit_session_id(std::string_view value, const Visit& visit) {
    const auto is_known = [](std::string_view uuid) {
        return uuid.size() == 32 && uuid.find_first_not_of('0') != std::string_view::npos;
    };
    const auto local = before_params(value);
    if (is_known(local)) {
        visit({Reference::session_id, local, Reference::session_id});
    }
    const auto remote = sip::find_param(value.substr(local.size()), "remote");
    if (remote && is_known(*remote)) {
        visit({Reference::session_id, *remote, Reference::session_id});
    }
}

// Refer-To: <sip:carol@example.com?Replaces=call-id%3Bto-tag%3D…> [RFC 3891 §4].
void visit_refer_to(std::string_view value, const Visit& visit) {
    const auto target = sip::parse_name_addr(value);
    if (!target) {
        return;
    }
    constexpr std::string_view name = "Replaces=";
    const auto headers = target->uri.headers;
    const auto at = headers.find(name);
    if (at == std::string_view::npos) {
        return;
    }
    const auto rest = headers.substr(at + name.size());
    const auto replaces = sip::unescape(rest.substr(0, rest.find('&')));
    visit({Reference::call_id, before_params(replaces), "Refer-To"});
}

// Of an AoR: "sip:user@host", "tel:+4930123".
std::string_view user_of(std::string_view aor) {
    const auto user = aor.substr(std::min(aor.find(':') + 1, aor.size()));
    const auto at = user.rfind('@');
    if (at != std::string_view::npos) {
        return user.substr(0, at);
    }
    return aor.starts_with("sip") ? std::string_view{} : user;
}

} // namespace

bool may_refer(const MessageView& request) {
    constexpr std::array ids{HeaderId::SessionId, HeaderId::PChargingVector, HeaderId::Replaces,
                             HeaderId::Join,      HeaderId::TargetDialog,    HeaderId::ReferTo};
    const auto is_call_id = [](const sip::Header& header) { // X-Call-ID, X-CID
        return header.id == HeaderId::Other && istarts_with(header.name, "X-C");
    };
    return std::ranges::any_of(ids, [&](HeaderId id) { return request.has(id); }) ||
           (request.method() == sip::Method::Invite &&
            std::ranges::any_of(request.headers(), is_call_id));
}

void for_each_reference(const MessageView& message, const Visit& visit) {
    if (const auto* header = message.find(HeaderId::SessionId)) {
        visit_session_id(header->value, visit);
    }
    if (const auto* header = message.find(HeaderId::PChargingVector)) {
        const auto icid = sip::find_param(fmt::format(";{}", header->value), "icid-value");
        if (icid && !icid->empty()) {
            visit({Reference::icid, *icid, "P-Charging-Vector"});
        }
    }
    for (const auto id : {HeaderId::Replaces, HeaderId::Join, HeaderId::TargetDialog}) {
        if (const auto* header = message.find(id)) {
            visit({Reference::call_id, before_params(header->value), sip::to_string(id)});
        }
    }
    if (const auto* header = message.find(HeaderId::ReferTo)) {
        visit_refer_to(header->value, visit);
    }
    if (message.method() == sip::Method::Invite) {
        for (const std::string_view name : {"X-Call-ID", "X-CID"}) {
            if (const auto* header = message.find_by_name(name)) {
                visit({Reference::call_id, header->value, name});
            }
        }
    }
}

LegStart start_of(std::uint32_t slot, const Sighting& at, const Stretch& stretch,
                  const sdp::Session* session) {
    LegStart start;
    start.slot = slot;
    start.time = at.time;
    start.source = at.source;
    start.destination = at.destination;
    start.sent_by = stretch.last().sent_by;
    start.from_user = user_key(user_of(stretch.text(stretch.names().from)));
    start.to_user = user_key(user_of(stretch.text(stretch.names().to)));
    if (session == nullptr) {
        return start;
    }
    const auto& origin = session->origin;
    start.origin =
        hash_bytes(origin.address, hash_bytes(origin.session_id, hash_bytes(origin.username)));
    if (session->media.empty()) {
        return start;
    }
    const auto& media = session->media.front();
    if (const auto cryptos = session->cryptos_of(media); !cryptos.empty()) {
        start.media_key = hash_bytes(cryptos.front().key_parameters);
    }
    if (!media.fingerprint.value.empty()) {
        start.fingerprint = hash_bytes(media.fingerprint.value);
    }
    const auto end = sdp::rtp_endpoint(media);
    if (end && end->port != 0) {
        start.media = hash_value(*end);
    }
    return start;
}

bool parse_session(const MessageView& message, sdp::Session& session) {
    return parse_session(message.body(), message.value(HeaderId::ContentType), session);
}

bool parse_session(std::string_view body, std::string_view type, sdp::Session& session) {
    if (body.size() < 4) {
        return false;
    }
    if (type == std::string_view{"application/sdp"}) { // nothing to look for in it
        return sdp::parse(body, session).has_value();
    }
    sip::LeafCursor leaves{body, type};
    while (const auto leaf = leaves.next()) {
        if (leaf->type.is("application", "sdp")) {
            // Each thread that prepares messages sees the same few kinds of devices.
            thread_local sdp::KnownLines known;
            return sdp::parse(leaf->part.content, session, known).has_value();
        }
    }
    return false;
}

} // namespace cw::flow
