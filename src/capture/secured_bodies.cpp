#include "capture/secured_bodies.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sip/name_addr.hpp"
#include "smime/tunnel.hpp"

namespace cw::capture {

namespace {

using Signed = flow::SecuredBody::Signed;
using Sealed = flow::SecuredBody::Sealed;

constexpr std::size_t longest_badge = 400;
constexpr std::size_t longest_words = 200;

// Whose certificate is expected: a request is signed by who is in From, a response by who is in To
// [RFC 3261 §23.2].
std::string signer_expected(const sip::MessageView& message) {
    const auto id = message.is_request() ? sip::HeaderId::From : sip::HeaderId::To;
    const auto address = sip::parse_name_addr(message.value(id));
    if (!address || address->uri.user.empty()) {
        return {};
    }
    return std::string{address->uri.user} + "@" + std::string{address->uri.host};
}

// What a message within says otherwise than the one around it; empty: nothing.
std::string discrepancies(const sip::MessageView& message, const smime::Opened& opened) {
    std::string out;
    for (const auto& part : opened.parts) {
        if ((!part.is_signed && !part.encrypted) || !smime::is_tunnelled(message, part.type)) {
            continue;
        }
        for (const auto& one : smime::compare_tunnelled(message, part.content, part.encrypted)) {
            out += (out.empty() ? "" : "; ") + smime::describe(one);
        }
    }
    return out;
}

// Header fields that stand outside alone, where neither signature nor encryption is; empty: none.
std::string outside_alone(const sip::MessageView& message, const smime::Opened& opened) {
    std::string out;
    for (const auto& part : opened.parts) {
        if ((!part.is_signed && !part.encrypted) || !smime::is_tunnelled(message, part.type)) {
            continue;
        }
        for (const auto& name : smime::only_outside(message, part.content)) {
            out += (out.empty() ? "unprotected, outside alone: " : " ") + name;
        }
    }
    return out;
}

// Nothing speaks against it but that nobody here knows its issuer. One that has expired, was
// revoked or is for something else is not good, whoever may judge.
bool is_unproven(const smime::Signature& signature) {
    using enum crypto::ChainRule;
    return signature.state == smime::Signature::State::NoCertificate ||
           (signature.state == smime::Signature::State::Untrusted &&
            std::ranges::all_of(signature.chain.faults, [](const auto& fault) {
                return fault.rule == SelfSigned || fault.rule == UnknownCa ||
                       fault.rule == MissingIssuer || fault.rule == NoCrl;
            }));
}

Sealed sealing_of(const smime::Opened& opened) {
    auto sealed = Sealed::No;
    for (const auto& layer : opened.layers) {
        if (layer.encrypted && sealed != Sealed::Closed) {
            sealed = layer.opened_by.empty() ? Sealed::Closed : Sealed::Opened;
        }
    }
    if (sealed != Sealed::Closed && !opened.problem.empty()) {
        return Sealed::Unreadable;
    }
    const auto* session = opened.part("application/sdp");
    return session != nullptr && !session->encrypted ? Sealed::Partly : sealed;
}

std::string cut_to(std::string text, std::size_t most) {
    if (text.size() > most) {
        text.resize(most);
        text += "…";
    }
    return text;
}

} // namespace

// A signer who shows another certificate than before is told.
std::string SecuredBodies::remember(const smime::Opened& opened) {
    std::string told;
    for (const auto& layer : opened.layers) {
        for (const auto& signature : layer.signatures) {
            if (signature.state != smime::Signature::State::Good) {
                continue;
            }
            const auto fingerprint = crypto::describe(signature.certificate.get()).fingerprint;
            const auto known = remembered_.find(signature.who);
            if (known == remembered_.end()) {
                if (remembered_.size() < most_remembered) {
                    remembered_.emplace(signature.who, fingerprint);
                    keys_.add_certificate(signature.certificate.get());
                }
            } else if (known->second != fingerprint) {
                known->second = fingerprint;
                keys_.add_certificate(signature.certificate.get());
                told = "the certificate of " + signature.who + " is another than before";
            }
        }
    }
    return told;
}

std::optional<flow::SecuredBody> SecuredBodies::open(const sip::MessageView& message, Instant at) {
    if (!smime::may_be_secured(message.value(sip::HeaderId::ContentType))) {
        return std::nullopt;
    }
    const auto opened = smime::open_body(
        message,
        {.keys = keys_, .at = at, .sender = signer_expected(message), .accept_weak = true});
    if (opened.layers.empty() &&
        !smime::is_secured_type(message.value(sip::HeaderId::ContentType))) {
        return std::nullopt; // an ordinary multipart, however malformed
    }
    flow::SecuredBody out;
    out.badge = opened.badge();
    const auto add = [&](const std::string& more) {
        out.badge += (out.badge.empty() || more.empty() ? "" : ", ") + more;
    };
    const auto differs = discrepancies(message, opened);
    add(differs);
    add(outside_alone(message, opened));
    add(remember(opened));
    for (const auto& layer : opened.layers) {
        for (const auto& signature : layer.signatures) {
            using enum smime::Signature::State;
            const auto one = !differs.empty()          ? Signed::Bad
                             : signature.state == Good ? Signed::Good
                             : is_unproven(signature)  ? Signed::Unproven
                                                       : Signed::Bad;
            if (out.is_signed == Signed::No || out.is_signed == Signed::Good ||
                one == Signed::Bad) { // the worst of them
                out.is_signed = one;
            }
        }
    }
    out.sealed = sealing_of(opened);
    if (const auto* part = opened.part("text/plain")) {
        out.text = cut_to(part->content, longest_words);
    }
    if (const auto* part = opened.part("application/sdp")) {
        out.session = part->content;
    }
    out.badge = cut_to(std::move(out.badge), longest_badge);
    return out;
}

} // namespace cw::capture
