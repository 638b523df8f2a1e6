#include "rtp/srtp.hpp"

#include <algorithm>

#include "rtp/packet.hpp"
#include "rtp/srtp_index.hpp"
#include "rtp/srtp_transform.hpp"

namespace cw::rtp {
namespace {

constexpr std::size_t rtcp_header = 8;
constexpr std::size_t most_octets = 65535;
constexpr std::size_t most_keys = 16;
constexpr std::size_t most_mki = 128;             // [RFC 4568 §6.1]
constexpr std::uint32_t most_rtcp = 0x7fff'ffffU; // [RFC 3711 §9.2] 2^31 SRTCP packets a key

Result<void> check(const SrtpParameters& p) {
    const auto& facts = facts_of(p.suite);
    if (facts.aead && !(p.authenticate_rtp && p.encrypt_rtp)) {
        return fail(Code::Unsupported, 0,
                    "an AEAD suite cannot leave out encryption or authentication");
    }
    if (p.keys.empty() || p.keys.size() > most_keys) {
        return fail(Code::Usage, 0, "SRTP needs one to sixteen master keys");
    }
    const auto mki = p.keys[0].mki.size();
    for (const auto& key : p.keys) {
        if (key.secret.octets().size() != static_cast<std::size_t>(facts.key + facts.salt)) {
            return fail(Code::Usage, 0, "the master key has not the length of its SRTP suite");
        }
        if (key.mki.size() != mki || mki > most_mki || (mki == 0 && p.keys.size() > 1)) {
            return fail(Code::Usage, 0, "several SRTP keys need MKIs of one length");
        }
    }
    return {};
}

Result<std::vector<SrtpTransform>> make_transforms(const SrtpParameters& p) {
    if (const auto ok = check(p); !ok) {
        return std::unexpected(ok.error());
    }
    std::vector<SrtpTransform> out;
    for (const auto& key : p.keys) {
        auto made = SrtpTransform::make(p, key);
        if (!made) {
            return std::unexpected(made.error());
        }
        out.push_back(std::move(*made));
    }
    return out;
}

} // namespace

struct SrtpSession::Impl {
    struct Source {
        std::uint32_t ssrc = 0;
        SrtpIndex rtp;
        ReplayWindow rtcp;
        std::uint32_t next_rtcp = 0; // when we send
    };

    Way way = Way::Send;
    SrtpParameters parameters;
    std::vector<SrtpTransform> transforms; // of each key
    std::vector<Source> sources;
    SrtpCounts counts;
    std::uint64_t protected_with_key = 0;
    Source newcomer = fresh(0);

    [[nodiscard]] Source* find(std::uint32_t ssrc) {
        const auto found = std::ranges::find(sources, ssrc, &Source::ssrc);
        return found == sources.end() ? nullptr : &*found;
    }
    [[nodiscard]] Source fresh(std::uint32_t ssrc, std::uint32_t roc = 0) const {
        return {ssrc, SrtpIndex{parameters.window, roc}, ReplayWindow{parameters.window}};
    }
    std::unexpected<Error> refuse(std::uint64_t& counter, Code code, const char* why) {
        ++counter;
        return fail(code, 0, why);
    }
    std::unexpected<Error> replayed() {
        return refuse(counts.replays, Code::Malformed,
                      "the SRTP packet was there before, or is too old to tell");
    }
    std::unexpected<Error> forged() {
        return refuse(counts.authentication_failures, Code::CryptoFailed,
                      "SRTP authentication failed");
    }
    std::unexpected<Error> used_up() {
        return refuse(counts.other, Code::CryptoFailed, "the SRTP master key is used up");
    }
    Result<std::size_t> look_at(Bytes packet, bool rtcp);
    SrtpTransform* transform_of(Bytes packet, bool rtcp);
    // A source that is not known yet stays apart until a packet of it has proved to be genuine.
    Source& source_of(std::uint32_t ssrc) {
        if (auto* known = find(ssrc)) {
            return *known;
        }
        newcomer = fresh(ssrc);
        return newcomer;
    }
    void accept(const Source& source) {
        ++counts.packets;
        if (&source == &newcomer) {
            sources.push_back(newcomer);
        }
    }
    [[nodiscard]] bool key_is_used_up() const {
        const auto lifetime = parameters.keys[0].lifetime;
        return lifetime != 0 && protected_with_key >= lifetime;
    }
};

// The length of the header, which is not encrypted.
Result<std::size_t> SrtpSession::Impl::look_at(Bytes packet, bool rtcp) {
    std::size_t header = rtcp_header;
    bool whole = packet.size() >= rtcp_header && packet.size() <= most_octets;
    if (rtcp) {
        whole = whole && packet[0] >> 6U == 2;
    } else if (const auto read = parse(packet, true); whole && read) {
        header = static_cast<std::size_t>(read->payload.data() - packet.data());
    } else {
        whole = false;
    }
    if (!whole) {
        return refuse(counts.other, Code::Malformed,
                      rtcp ? "not an RTCP packet" : "not an RTP packet");
    }
    if (sources.size() >= most_sources &&
        find(load_be32(packet.data() + (rtcp ? 4 : 8))) == nullptr) {
        return refuse(counts.other, Code::LimitExceeded,
                      "SRTP from more sources than one direction may have");
    }
    return header;
}

// By the MKI that the packet carries: with AEAD at its end, else before the tag.
SrtpTransform* SrtpSession::Impl::transform_of(Bytes packet, bool rtcp) {
    const auto size = parameters.keys[0].mki.size();
    const auto& facts = facts_of(parameters.suite);
    const std::size_t rtp_tag = parameters.authenticate_rtp ? facts.rtp_tag : 0U;
    const std::size_t behind = facts.aead ? 0U : rtcp ? 10U : rtp_tag;
    if (size == 0) {
        return transforms.data();
    }
    if (packet.size() < size + behind) {
        return nullptr;
    }
    const auto mki = packet.subspan(packet.size() - behind - size, size);
    const auto found = std::ranges::find_if(
        transforms, [&](const SrtpTransform& t) { return std::ranges::equal(t.mki(), mki); });
    return found == transforms.end() ? nullptr : &*found;
}

SrtpSession::SrtpSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SrtpSession::~SrtpSession() = default;
SrtpSession::SrtpSession(SrtpSession&&) noexcept = default;
SrtpSession& SrtpSession::operator=(SrtpSession&&) noexcept = default;

Result<SrtpSession> SrtpSession::make(Way way, const SrtpParameters& parameters) {
    auto transforms = make_transforms(parameters);
    if (!transforms) {
        return std::unexpected(transforms.error());
    }
    auto impl = std::make_unique<Impl>();
    impl->way = way;
    impl->parameters = parameters;
    impl->transforms = std::move(*transforms);
    return SrtpSession{std::move(impl)};
}

// The same index must never be encrypted twice: both would share their key stream [RFC 3711 §9.1].
Result<void> SrtpSession::protect(std::vector<std::uint8_t>& rtp) {
    const auto header = impl_->look_at(rtp, false);
    if (!header) {
        return std::unexpected(header.error());
    }
    const auto ssrc = load_be32(rtp.data() + 8);
    auto& source = impl_->source_of(ssrc);
    const auto index = source.rtp.guess(load_be16(rtp.data() + 2));
    if (!index || impl_->key_is_used_up()) {
        return impl_->used_up();
    }
    if (!source.rtp.is_new(*index)) {
        return impl_->replayed();
    }
    if (!impl_->transforms[0].protect(rtp, *header, *index)) {
        return impl_->forged();
    }
    source.rtp.note(*index);
    ++impl_->protected_with_key;
    impl_->accept(source);
    return {};
}

Result<void> SrtpSession::protect_rtcp(std::vector<std::uint8_t>& rtcp) {
    const auto header = impl_->look_at(rtcp, true);
    if (!header) {
        return std::unexpected(header.error());
    }
    const auto ssrc = load_be32(rtcp.data() + 4);
    auto& source = impl_->source_of(ssrc);
    if (source.next_rtcp >= most_rtcp) {
        return impl_->used_up();
    }
    if (!impl_->transforms[0].protect_rtcp(rtcp, source.next_rtcp)) {
        return impl_->forged();
    }
    ++source.next_rtcp;
    impl_->accept(source);
    return {};
}

Result<void> SrtpSession::unprotect(std::vector<std::uint8_t>& rtp) {
    const auto header = impl_->look_at(rtp, false);
    if (!header) {
        return std::unexpected(header.error());
    }
    auto* transform = impl_->transform_of(rtp, false);
    if (transform == nullptr) {
        return impl_->refuse(impl_->counts.unknown_keys, Code::CryptoFailed,
                             "the SRTP packet names a key that was not agreed on");
    }
    const auto ssrc = load_be32(rtp.data() + 8);
    auto& source = impl_->source_of(ssrc);
    const auto index = source.rtp.guess(load_be16(rtp.data() + 2));
    if (!index || !source.rtp.is_new(*index)) {
        return impl_->replayed();
    }
    if (!transform->unprotect(rtp, *header, *index)) {
        return impl_->forged();
    }
    source.rtp.note(*index);
    impl_->accept(source);
    return {};
}

Result<void> SrtpSession::unprotect_rtcp(std::vector<std::uint8_t>& rtcp) {
    const auto header = impl_->look_at(rtcp, true);
    if (!header) {
        return std::unexpected(header.error());
    }
    auto* transform = impl_->transform_of(rtcp, true);
    if (transform == nullptr) {
        return impl_->refuse(impl_->counts.unknown_keys, Code::CryptoFailed,
                             "the SRTP packet names a key that was not agreed on");
    }
    const auto index = transform->rtcp_index(rtcp);
    const auto ssrc = load_be32(rtcp.data() + 4);
    auto& source = impl_->source_of(ssrc);
    if (index && !source.rtcp.is_new(*index)) {
        return impl_->replayed();
    }
    if (!index || !transform->unprotect_rtcp(rtcp)) {
        return impl_->forged();
    }
    source.rtcp.note(*index);
    impl_->accept(source);
    return {};
}

// [RFC 3711 §3.3.1] "After a re-keying occurs (changing to a new master key), the rollover counter
// always maintains its sequence of values".
Result<void> SrtpSession::rekey(const SrtpParameters& parameters) {
    auto transforms = make_transforms(parameters);
    if (!transforms) {
        return std::unexpected(transforms.error());
    }
    impl_->parameters = parameters;
    impl_->transforms = std::move(*transforms);
    impl_->protected_with_key = 0;
    return {};
}

std::optional<std::uint32_t> SrtpSession::roc(std::uint32_t ssrc) const {
    const auto* source = impl_->find(ssrc);
    return source != nullptr ? std::optional{source->rtp.roc()} : std::nullopt;
}

bool SrtpSession::set_roc(std::uint32_t ssrc, std::uint32_t roc) {
    auto* source = impl_->find(ssrc);
    if (source != nullptr) {
        source->rtp = SrtpIndex{impl_->parameters.window, roc};
        return true;
    }
    if (impl_->sources.size() >= most_sources) {
        return false;
    }
    impl_->sources.push_back(impl_->fresh(ssrc, roc));
    return true;
}

const SrtpParameters& SrtpSession::parameters() const {
    return impl_->parameters;
}
const SrtpCounts& SrtpSession::counts() const {
    return impl_->counts;
}

} // namespace cw::rtp
