#include "rtp/srtp.hpp"

#include <algorithm>
#include <array>

#include <srtp2/crypto_types.h>
#include <srtp2/srtp.h>

#include "rtp/packet.hpp"

namespace cw::rtp {
namespace {

constexpr std::size_t rtcp_header_size = 8; // with the sender's SSRC, which stays in clear
constexpr std::size_t most_octets = 65535;

bool library_is_ready() {
    static const bool ready = srtp_init() == srtp_err_status_ok;
    return ready;
}

using SetPolicy = void (*)(srtp_crypto_policy_t*);
SetPolicy policy_of(SrtpSuite suite, bool rtcp) {
    switch (suite) {
    case SrtpSuite::AesCm128Sha1_80:
        return srtp_crypto_policy_set_rtp_default;
    case SrtpSuite::AesCm128Sha1_32: // [RFC 4568 §6.2] the tag of SRTCP has 80 bits
        return rtcp ? srtp_crypto_policy_set_rtp_default
                    : srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32;
    case SrtpSuite::AesCm256Sha1_80:
        return srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80;
    case SrtpSuite::AesCm256Sha1_32:
        return rtcp ? srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80
                    : srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32;
    case SrtpSuite::AeadAes128Gcm:
        return srtp_crypto_policy_set_aes_gcm_128_16_auth;
    case SrtpSuite::AeadAes256Gcm:
        return srtp_crypto_policy_set_aes_gcm_256_16_auth;
    }
    return srtp_crypto_policy_set_rtp_default;
}

srtp_sec_serv_t services(bool encrypt, bool authenticate) {
    if (encrypt) {
        return authenticate ? sec_serv_conf_and_auth : sec_serv_conf;
    }
    return authenticate ? sec_serv_auth : sec_serv_none;
}

Result<void> check(const SrtpParameters& p) {
    const auto& facts = facts_of(p.suite);
    if (facts.aead && !p.authenticate_rtp) {
        return fail(Code::Unsupported, 0, "an AEAD suite cannot leave out authentication");
    }
    if (p.keys.empty() || p.keys.size() > SRTP_MAX_NUM_MASTER_KEYS) {
        return fail(Code::Usage, 0, "SRTP needs one to sixteen master keys");
    }
    const auto mki = p.keys[0].mki.size();
    for (const auto& key : p.keys) {
        if (key.secret.octets().size() != static_cast<std::size_t>(facts.key + facts.salt)) {
            return fail(Code::Usage, 0, "the master key has not the length of its SRTP suite");
        }
        if (key.mki.size() != mki || mki > SRTP_MAX_MKI_LEN || (mki == 0 && p.keys.size() > 1)) {
            return fail(Code::Usage, 0, "several SRTP keys need MKIs of one length");
        }
    }
    return {};
}

// The library's form of the parameters, with what it points to. Its pointers are not const; it
// copies what it needs and changes nothing.
class Policy {
  public:
    explicit Policy(const SrtpParameters& p) : owner_(p) {
        policy_.window_size = std::max<std::uint16_t>(p.window, 64);
        policy_of(p.suite, false)(&policy_.rtp);
        policy_of(p.suite, true)(&policy_.rtcp);
        policy_.rtp.sec_serv = services(p.encrypt_rtp, p.authenticate_rtp);
        policy_.rtcp.sec_serv = services(p.encrypt_rtcp, true);
        if (!p.authenticate_rtp) {
            policy_.rtp.auth_type = SRTP_NULL_AUTH;
            policy_.rtp.auth_key_len = 0;
            policy_.rtp.auth_tag_len = 0;
        }
        for (std::size_t i = 0; i < owner_.keys.size(); ++i) {
            auto& key = owner_.keys[i];
            keys_[i].key = const_cast<std::uint8_t*>(key.secret.octets().data());
            keys_[i].mki_id = key.mki.data();
            keys_[i].mki_size = static_cast<unsigned>(key.mki.size());
            pointers_[i] = &keys_[i];
        }
        if (owner_.keys[0].mki.empty()) {
            policy_.key = keys_[0].key;
        } else {
            policy_.keys = pointers_.data();
            policy_.num_master_keys = owner_.keys.size();
        }
    }
    Policy(const Policy&) = delete;
    Policy& operator=(const Policy&) = delete;

    srtp_policy_t* any(SrtpSession::Way way) {
        policy_.ssrc.type = way == SrtpSession::Way::Send ? ssrc_any_outbound : ssrc_any_inbound;
        policy_.ssrc.value = 0;
        return &policy_;
    }
    srtp_policy_t* only(std::uint32_t ssrc) {
        policy_.ssrc.type = ssrc_specific;
        policy_.ssrc.value = ssrc;
        return &policy_;
    }

  private:
    SrtpParameters owner_;
    std::array<srtp_master_key_t, SRTP_MAX_NUM_MASTER_KEYS> keys_{};
    std::array<srtp_master_key_t*, SRTP_MAX_NUM_MASTER_KEYS> pointers_{};
    srtp_policy_t policy_{};
};

} // namespace

struct SrtpSession::Impl {
    struct Source {
        std::uint32_t ssrc = 0;
        bool own_stream = false; // the library knows it by name, not as one of any
    };

    Way way = Way::Send;
    SrtpParameters parameters;
    srtp_t session = nullptr;
    SrtpCounts counts;
    std::uint64_t protected_with_key = 0;
    std::vector<Source> sources;

    Impl() = default;
    ~Impl() {
        if (session != nullptr) {
            srtp_dealloc(session);
        }
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    [[nodiscard]] bool knows(std::uint32_t ssrc) const {
        return std::ranges::any_of(sources, [&](const Source& s) { return s.ssrc == ssrc; });
    }
    [[nodiscard]] bool has_room_for(std::uint32_t ssrc) const {
        return sources.size() < most_sources || knows(ssrc);
    }
    void remember(std::uint32_t ssrc) {
        if (!knows(ssrc)) {
            sources.push_back({ssrc, false});
        }
    }
    [[nodiscard]] std::size_t rtp_tag() const {
        return parameters.authenticate_rtp ? facts_of(parameters.suite).rtp_tag : 0U;
    }
    [[nodiscard]] bool has_mki() const { return !parameters.keys[0].mki.empty(); }

    Result<void> protect(std::vector<std::uint8_t>& packet, bool rtcp);
    Result<void> unprotect(std::vector<std::uint8_t>& packet, bool rtcp);
    Result<void> verdict(srtp_err_status_t status);
    Result<std::uint32_t> source_of(const std::vector<std::uint8_t>& packet, bool rtcp);
};

Result<std::uint32_t> SrtpSession::Impl::source_of(const std::vector<std::uint8_t>& packet,
                                                   bool rtcp) {
    const bool whole = rtcp ? packet.size() >= rtcp_header_size && packet[0] >> 6U == 2
                            : parse(packet, true).has_value();
    if (!whole || packet.size() > most_octets) {
        ++counts.other;
        return fail(Code::Malformed, 0, rtcp ? "not an RTCP packet" : "not an RTP packet");
    }
    const auto ssrc = load_be32(packet.data() + (rtcp ? 4 : 8));
    if (!has_room_for(ssrc)) {
        ++counts.other;
        return fail(Code::LimitExceeded, 0, "SRTP from more sources than one direction may have");
    }
    return ssrc;
}

Result<void> SrtpSession::Impl::protect(std::vector<std::uint8_t>& packet, bool rtcp) {
    const auto ssrc = source_of(packet, rtcp);
    if (!ssrc) {
        return std::unexpected(ssrc.error());
    }
    const auto lifetime = parameters.keys[0].lifetime;
    if (lifetime != 0 && protected_with_key >= lifetime) {
        return verdict(srtp_err_status_key_expired);
    }
    auto size = static_cast<int>(packet.size());
    packet.resize(packet.size() + SRTP_MAX_TRAILER_LEN + 4); // SRTCP has an index too
    const auto status =
        rtcp ? srtp_protect_rtcp_mki(session, packet.data(), &size, has_mki() ? 1 : 0, 0)
             : srtp_protect_mki(session, packet.data(), &size, has_mki() ? 1 : 0, 0);
    if (status != srtp_err_status_ok) {
        packet.clear();
        return verdict(status);
    }
    packet.resize(static_cast<std::size_t>(size));
    ++counts.packets;
    ++protected_with_key;
    remember(*ssrc);
    return {};
}

Result<void> SrtpSession::Impl::unprotect(std::vector<std::uint8_t>& packet, bool rtcp) {
    const auto ssrc = source_of(packet, rtcp);
    if (!ssrc) {
        return std::unexpected(ssrc.error());
    }
    const auto header = rtcp ? rtcp_header_size + 4 : header_size; // SRTCP has an index too
    const std::size_t tag = rtcp ? (facts_of(parameters.suite).aead ? 16U : 10U) : rtp_tag();
    if (packet.size() < header + tag + parameters.keys[0].mki.size()) {
        return verdict(srtp_err_status_auth_fail); // what is there cannot be a tag
    }
    auto size = static_cast<int>(packet.size());
    const int mki = has_mki() ? 1 : 0;
    const auto status = rtcp ? srtp_unprotect_rtcp_mki(session, packet.data(), &size, mki)
                             : srtp_unprotect_mki(session, packet.data(), &size, mki);
    if (status != srtp_err_status_ok) {
        return verdict(status);
    }
    packet.resize(static_cast<std::size_t>(size));
    ++counts.packets;
    remember(*ssrc);
    return {};
}

Result<void> SrtpSession::Impl::verdict(srtp_err_status_t status) {
    if (status == srtp_err_status_auth_fail || status == srtp_err_status_cipher_fail) {
        ++counts.authentication_failures;
        return fail(Code::CryptoFailed, 0, "SRTP authentication failed");
    }
    if (status == srtp_err_status_bad_mki) {
        ++counts.unknown_keys;
        return fail(Code::CryptoFailed, 0, "the SRTP packet names a key that was not agreed on");
    }
    if (status == srtp_err_status_replay_fail || status == srtp_err_status_replay_old ||
        status == srtp_err_status_pkt_idx_old) {
        ++counts.replays;
        return fail(Code::Malformed, 0, "the SRTP packet was there before, or is too old to tell");
    }
    ++counts.other;
    if (status == srtp_err_status_key_expired) {
        return fail(Code::CryptoFailed, 0, "the SRTP master key is used up");
    }
    return fail(Code::Unsupported, 0, "the packet cannot be one of SRTP");
}

SrtpSession::SrtpSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SrtpSession::~SrtpSession() = default;
SrtpSession::SrtpSession(SrtpSession&&) noexcept = default;
SrtpSession& SrtpSession::operator=(SrtpSession&&) noexcept = default;

Result<SrtpSession> SrtpSession::make(Way way, const SrtpParameters& parameters) {
    if (const auto ok = check(parameters); !ok) {
        return std::unexpected(ok.error());
    }
    auto impl = std::make_unique<Impl>();
    impl->way = way;
    impl->parameters = parameters;
    Policy policy{parameters};
    if (!library_is_ready() || srtp_create(&impl->session, policy.any(way)) != srtp_err_status_ok) {
        return fail(Code::Unsupported, 0, "libsrtp does not have this SRTP suite");
    }
    return SrtpSession{std::move(impl)};
}

Result<void> SrtpSession::protect(std::vector<std::uint8_t>& rtp) {
    return impl_->protect(rtp, false);
}
Result<void> SrtpSession::protect_rtcp(std::vector<std::uint8_t>& rtcp) {
    return impl_->protect(rtcp, true);
}
Result<void> SrtpSession::unprotect(std::vector<std::uint8_t>& rtp) {
    return impl_->unprotect(rtp, false);
}
Result<void> SrtpSession::unprotect_rtcp(std::vector<std::uint8_t>& rtcp) {
    return impl_->unprotect(rtcp, true);
}

Result<void> SrtpSession::rekey(const SrtpParameters& parameters) {
    if (const auto ok = check(parameters); !ok) {
        return ok;
    }
    Policy policy{parameters};
    auto status = srtp_update(impl_->session, policy.any(impl_->way));
    for (const auto& source : impl_->sources) {
        if (source.own_stream && status == srtp_err_status_ok) {
            status = srtp_update(impl_->session, policy.only(source.ssrc));
        }
    }
    if (status != srtp_err_status_ok) {
        return fail(Code::Unsupported, 0, "libsrtp does not take these SRTP keys");
    }
    impl_->parameters = parameters;
    impl_->protected_with_key = 0;
    return {};
}

std::optional<std::uint32_t> SrtpSession::roc(std::uint32_t ssrc) const {
    std::uint32_t roc = 0;
    const auto status = srtp_get_stream_roc(impl_->session, ssrc, &roc);
    return status == srtp_err_status_ok ? std::optional{roc} : std::nullopt;
}

bool SrtpSession::set_roc(std::uint32_t ssrc, std::uint32_t roc) {
    if (!impl_->has_room_for(ssrc)) {
        return false;
    }
    if (srtp_set_stream_roc(impl_->session, ssrc, roc) == srtp_err_status_ok) {
        return true;
    }
    Policy policy{impl_->parameters};
    if (srtp_add_stream(impl_->session, policy.only(ssrc)) != srtp_err_status_ok) {
        return false;
    }
    impl_->sources.push_back({ssrc, true});
    return srtp_set_stream_roc(impl_->session, ssrc, roc) == srtp_err_status_ok;
}

const SrtpParameters& SrtpSession::parameters() const {
    return impl_->parameters;
}
const SrtpCounts& SrtpSession::counts() const {
    return impl_->counts;
}

} // namespace cw::rtp
