// A session description as views: what a sender of SIP wants to send and receive, and where.
// RFC 8866 (and 4566 before it), RFC 3264, and the attributes that calls use: RFC 3605 rtcp,
// RFC 4568 crypto, RFC 5763 and 8122 setup and fingerprint, RFC 5888 mid and group, RFC 8839 ICE,
// RFC 5761 rtcp-mux.
// Tolerant: LF as line end, lines out of order, unknown lines; what is wrong is said by problem().
// Any thread, no shared state.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"

namespace cw::sdp {

// Every view in these structs lives as long as the text that was parsed.
struct Origin {
    std::string_view username;
    std::string_view session_id;
    std::string_view session_version;
    std::string_view network_type; // "IN"
    std::string_view address_type; // "IP4", "IP6"
    std::string_view address;
};

struct Connection {
    std::string_view network_type;
    std::string_view address_type;
    std::string_view address;    // an address or a name, without what follows a "/"
    std::string_view range;      // of a multicast address: TTL and count, "127/3"
    std::optional<IpAddress> ip; // the address, when it is no name

    [[nodiscard]] bool present() const { return !address.empty(); }
};

struct Attribute {
    std::string_view name;
    std::string_view value; // empty for a flag
};

struct Rtpmap {
    std::uint8_t payload_type = 0;
    std::uint8_t channels = 1;
    std::uint32_t clock_rate = 0; // Hz
    std::string_view encoding;    // "PCMU", "telephone-event"; compared without regard to case
};

struct Fmtp {
    std::string_view format; // the payload type, as written in the m= line
    std::string_view parameters;
};

struct Crypto {
    std::uint32_t tag = 0;
    std::string_view suite;          // "AES_CM_128_HMAC_SHA1_80"
    std::string_view key_parameters; // "inline:…|2^20|1:4", several with ";" between them
    std::string_view session_parameters;
};

struct Fingerprint {
    std::string_view hash; // "sha-256"
    std::string_view value;
};

struct Group {
    std::string_view semantics; // "BUNDLE", "LS"
    std::string_view mids;      // "audio video"
};

enum class Direction : std::uint8_t { SendRecv, SendOnly, RecvOnly, Inactive };
std::string_view to_string(Direction direction); // "sendrecv"

// Some of the elements of a list that all media share.
struct Slice {
    std::uint32_t begin = 0;
    std::uint32_t count = 0;
};

// One m= line with what belongs to it. What the session says for all media (c=, direction, setup,
// fingerprint, ICE user) is filled in where the media does not say it itself.
struct Media {
    std::string_view type;        // "audio", "video", "image", "message", "application"
    std::string_view protocol;    // "RTP/SAVP"
    std::string_view format_list; // "0 8 101"
    std::uint16_t port = 0;       // 0: refused, or not used
    std::uint16_t port_count = 1; // "49170/2": that many pairs of ports
    std::uint16_t rtcp_port = 0;  // by a=rtcp; 0: none given
    Direction direction = Direction::SendRecv;
    bool rtcp_mux = false;
    bool bundle_only = false;
    std::uint32_t ptime_ms = 0; // 0: none given
    Connection connection;
    Connection rtcp_connection; // by a=rtcp, when it has an address
    std::string_view title;     // i=
    std::string_view mid;
    std::string_view label;
    Fingerprint fingerprint; // the first one
    std::string_view setup;  // "actpass", "active", "passive"
    std::string_view ice_ufrag;
    Slice attributes, formats, rtpmaps, fmtps, cryptos, candidates; // see Session
};

// Reusable: the next parse() overwrites it and, after a few, allocates nothing.
class Session {
  public:
    static constexpr std::size_t max_media = 64;
    static constexpr std::size_t max_elements = 1024; // of each kind, in all media together

    // Forgets all, keeps the memory.
    void clear();

    std::string_view version; // "0"
    Origin origin;
    std::string_view name;
    Connection connection;
    std::string_view time; // the first t=: "0 0"
    Direction direction = Direction::SendRecv;
    Fingerprint fingerprint;
    std::string_view setup;
    std::string_view ice_ufrag;
    bool ice_lite = false;
    // There is a line a=fingerprint, or a=candidate, anywhere; or there may be, see max_media.
    bool has_fingerprints = false;
    bool has_candidates = false;
    Slice attributes; // those before the first m=
    std::vector<Media> media;
    std::vector<Group> groups;

    // The parts of one media. Valid until the next parse() or clear().
    [[nodiscard]] std::span<const Attribute> attributes_of(const Media& m) const {
        return part(attributes_, m.attributes);
    }
    [[nodiscard]] std::span<const Attribute> session_attributes() const {
        return part(attributes_, attributes);
    }
    [[nodiscard]] std::span<const std::string_view> formats_of(const Media& m) const {
        return part(formats_, m.formats);
    }
    [[nodiscard]] std::span<const Rtpmap> rtpmaps_of(const Media& m) const {
        return part(rtpmaps_, m.rtpmaps);
    }
    [[nodiscard]] std::span<const Fmtp> fmtps_of(const Media& m) const {
        return part(fmtps_, m.fmtps);
    }
    [[nodiscard]] std::span<const Crypto> cryptos_of(const Media& m) const {
        return part(cryptos_, m.cryptos);
    }
    // The values of its a=candidate lines.
    [[nodiscard]] std::span<const std::string_view> candidates_of(const Media& m) const {
        return part(candidates_, m.candidates);
    }
    // What the media maps this payload type to; nullptr when it does not say (a static type).
    [[nodiscard]] const Rtpmap* rtpmap(const Media& m, std::uint8_t payload_type) const;
    // Is the media one of a group with a=group:BUNDLE?
    [[nodiscard]] bool in_bundle(const Media& m) const;

    // The first thing that is not as the RFC wants it; its offset is in the text.
    [[nodiscard]] std::optional<Error> problem() const {
        return problem_.what != nullptr ? std::optional{problem_} : std::nullopt;
    }

  private:
    friend class Parser;
    template <class T>
    static std::span<const T> part(const std::vector<T>& all, Slice slice) {
        return std::span<const T>{all}.subspan(slice.begin, slice.count);
    }

    std::vector<Attribute> attributes_;
    std::vector<std::string_view> formats_;
    std::vector<Rtpmap> rtpmaps_;
    std::vector<Fmtp> fmtps_;
    std::vector<Crypto> cryptos_;
    std::vector<std::string_view> candidates_;
    Error problem_{Code::Malformed, 0, nullptr};
};

// Overwrites `session`, whose views live as long as `text`. Fails (Malformed) only when the text
// has neither a v= nor an m= line. Linear in the text; media beyond max_media and elements beyond
// max_elements are left out, which problem() says.
Result<void> parse(std::string_view text, Session& session);
Result<Session> parse(std::string_view text);

template <class S>
    requires std::same_as<S, std::string>
Result<void> parse(S&&, Session&) = delete;
template <class S>
    requires std::same_as<S, std::string>
Result<Session> parse(S&&) = delete;

// Where the media is to be sent; nothing when its address is a name or missing. Port 0 when it was
// refused.
std::optional<Endpoint> rtp_endpoint(const Media& media);
// Where its RTCP is to be sent: by a=rtcp, the RTP port with rtcp-mux, or the one above it
// [RFC 3550 §11, RFC 3605 §2.1, RFC 5761 §5.1.1]. For an offer, mux is only a wish.
std::optional<Endpoint> rtcp_endpoint(const Media& media);

} // namespace cw::sdp
