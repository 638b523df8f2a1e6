#include "play/smime_desk.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "crypto/chain.hpp"

namespace cw::play {

using script::Fault;
using script::PartyId;

std::expected<void, std::string> SmimeDesk::open() {
    if (open_) {
        return {};
    }
    const crypto::CaSpec spec{.name = "Callwright, this run alone",
                              .validity = crypto::valid_for(now_, 2)};
    auto stranger = crypto::make_ca(spec);
    if (!stranger) {
        return std::unexpected{std::string{stranger.error().what}};
    }
    stranger_ = std::move(*stranger);
    if (cast_.bodies.ca.empty()) {
        auto made = crypto::make_ca(spec);
        if (!made) {
            return std::unexpected{std::string{made.error().what}};
        }
        ca_ = std::move(*made);
    } else {
        auto certificates = crypto::read_certificates(cast_.bodies.ca);
        auto key = crypto::read_key(cast_.bodies.ca);
        if (!certificates || !key) {
            return std::unexpected{"the CA of this run cannot be read"};
        }
        ca_ = {std::move(certificates->front()), std::move(*key)};
    }
    open_ = true;
    return {};
}

// A certificate file that speaks for the person; others are for TLS.
std::expected<crypto::Credential, std::string> SmimeDesk::own_file(PartyId party) const {
    const auto file = cast_.bodies.own.find(party);
    if (file == cast_.bodies.own.end()) {
        return crypto::Credential{};
    }
    auto certificates = crypto::read_certificates(file->second);
    if (!certificates) {
        return std::unexpected{cast_.members[party].id + ": " + certificates.error().what};
    }
    auto& certificate = certificates->front();
    const auto identity = crypto::read_identity(certificate.get());
    if (!identity || !identity->speaks_for_user(person(party))) {
        return crypto::Credential{};
    }
    auto key = crypto::read_key(file->second);
    return crypto::Credential{std::move(certificate), key ? std::move(*key) : nullptr};
}

SmimeDesk::Owned SmimeDesk::credential(PartyId party, std::optional<Fault> fault) {
    if (auto opened = open(); !opened) {
        return std::unexpected{opened.error()};
    }
    const std::pair key{party, fault ? static_cast<int>(*fault) : -1};
    if (const auto known = made_.find(key); known != made_.end()) {
        return &known->second;
    }
    auto own = own_file(party);
    if (!own) {
        return std::unexpected{own.error()};
    }
    if (own->certificate != nullptr && !fault) {
        return &(made_[key] = std::move(*own));
    }
    crypto::LeafSpec spec{.users = {person(party)},
                          .validity = crypto::valid_for(now_, 1),
                          .server_auth = false,
                          .client_auth = false,
                          .email_protection = true};
    if (fault == Fault::Expired) {
        spec.validity = {now_ - seconds(3 * 86'400), now_ - seconds(86'400)};
    }
    auto made = crypto::issue(fault == Fault::Untrusted ? stranger_ : ca_, spec);
    if (!made) {
        return std::unexpected{
            fmt::format("{}: no certificate: {}", cast_.members[party].id, made.error().what)};
    }
    return &(made_[key] = std::move(*made));
}

void SmimeDesk::learn(PartyId party, std::span<const crypto::CertificatePtr> sent) {
    if (cast_.members[party].control != script::Control::External ||
        cast_.bodies.own.contains(party) || !open()) {
        return;
    }
    smime::Keyring trust;
    trust.trust(ca_.certificate.get());
    if (!cast_.bodies.trusted.empty()) {
        (void)trust.add_trusted(
            cast_.bodies.trusted); // what is wrong in it is told where it is read
    }
    for (const auto& certificate : sent) {
        X509_up_ref(certificate.get());
        std::vector<crypto::CertificatePtr> presented;
        presented.emplace_back(certificate.get());
        const auto verdict =
            crypto::verify_chain({.presented = presented,
                                  .trusted = trust.trusted(),
                                  .crls = {},
                                  .at = now_,
                                  .expected = person(party),
                                  .identity = {.purposes = crypto::PurposePolicy::Smime}});
        if (verdict.good()) {
            made_[{party, -1}] = {std::move(presented.front()), nullptr};
            return;
        }
    }
}

std::expected<smime::Keyring, std::string> SmimeDesk::keyring_of(PartyId party) {
    const auto own = credential(party);
    if (!own) {
        return std::unexpected{own.error()};
    }
    smime::Keyring keys;
    keys.trust(ca_.certificate.get());
    if (!cast_.bodies.trusted.empty() && !keys.add_trusted(cast_.bodies.trusted)) {
        return std::unexpected{"no certificate in what is trusted"};
    }
    if ((*own)->key != nullptr) {
        keys.add(**own);
    }
    for (const auto& [whose, one] : made_) {
        if (whose.first != party) {
            keys.add_certificate(one.certificate.get());
        }
    }
    return keys;
}

// Those that are wrong on purpose have signed only, and went along with what they signed.
std::vector<Papers> SmimeDesk::papers() const {
    std::vector<Papers> out;
    if (open_) {
        out.push_back({"ca", crypto::to_pem(ca_.certificate.get())});
    }
    for (const auto& [whose, one] : made_) {
        if (whose.second == -1 && one.key != nullptr) {
            out.push_back({person(whose.first),
                           crypto::to_pem(one.certificate.get()) + crypto::to_pem(one.key.get())});
        }
    }
    return out;
}

std::string SmimeDesk::person(PartyId party) const {
    const auto& member = cast_.members[party];
    return member.user + "@" + member.domain;
}

std::optional<PartyId> SmimeDesk::party_of(std::string_view who) const {
    for (PartyId party = 0; party < cast_.members.size(); ++party) {
        if (iequals(person(party), who)) {
            return party;
        }
    }
    return std::nullopt;
}

} // namespace cw::play
