#include "flow/security.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "flow/secured_body.hpp"
#include "flow/security_hops.hpp"

namespace cw::flow {
namespace {

Protection combine(std::size_t clear, std::size_t secure) {
    if (clear == 0 && secure == 0) {
        return Protection::None;
    }
    if (clear == 0) {
        return Protection::Secure;
    }
    return secure == 0 ? Protection::Clear : Protection::Mixed;
}

std::string ends_of(const Hop& hop) {
    std::string out;
    out.reserve(128); // with what is said of them
    out.append(to_string(hop.client)).append(" → ").append(to_string(hop.server));
    return out;
}

std::string count_of_packets(std::uint64_t n) {
    return fmt::format("{} packet{}", n, n == 1 ? "" : "s");
}

// Encrypted; what is only authenticated can be heard.
bool is_protected(const MediaStream& s) {
    return s.srtp.length > 0 && s.opening.encrypted;
}

Protection look_at_media(const Call& call) {
    std::size_t clear = 0;
    std::size_t secure = 0;
    for (const auto& stream : call.streams) {
        ++(is_protected(stream) ? secure : clear);
    }
    if (!call.streams.empty()) {
        return combine(clear, secure);
    }
    // No packets seen: what the session descriptions agreed to send.
    for (const auto& line : call.media_lines) {
        if (line.receive.port != 0) {
            ++(line.secure_profile || line.crypto_suite.length > 0 ? secure : clear);
        }
    }
    return combine(clear, secure);
}

// "SRTP by SDES (AES_CM_128_HMAC_SHA1_80), 2 streams, 699 packets, all authentic".
std::string media_in_words(const Call& call, Protection media) {
    if (call.streams.empty()) {
        return media == Protection::None     ? ""
               : media == Protection::Secure ? "SRTP was agreed on; no media was seen"
               : media == Protection::Clear
                   ? "RTP in clear was agreed on; no media was seen"
                   : "SRTP was offered, and RTP in clear as well; no media was seen";
    }
    std::uint64_t clear = 0;
    std::uint64_t opened = 0;
    std::uint64_t failed = 0;
    std::uint64_t closed = 0; // streams
    std::size_t secure = 0;
    const MediaStream* shown = nullptr;
    for (const auto& s : call.streams) {
        if (!is_protected(s)) {
            ++clear;
            continue;
        }
        ++secure;
        shown = shown == nullptr || shown->suite.length == 0 ? &s : shown;
        opened += s.opening.opened;
        failed += s.opening.failed;
        closed += s.opening.opened == 0 ? 1U : 0U;
    }
    std::string out;
    if (secure > 0) {
        const auto suite = call.text(shown->suite.length > 0 ? shown->suite : shown->srtp);
        const bool dtls =
            shown->opening.by == KeyExchange::Dtls || call.text(shown->srtp) == "DTLS-SRTP";
        out = fmt::format("{}{}, {} stream{}", dtls ? "DTLS-SRTP" : "SRTP with SDES keys",
                          suite == "DTLS-SRTP" ? "" : fmt::format(" ({})", suite), secure,
                          secure == 1 ? "" : "s");
        if (closed > 0) {
            out += fmt::format(", {} of them not opened", closed);
        }
        if (failed > 0) {
            out += fmt::format(", {} not authentic", count_of_packets(failed));
        } else if (opened > 0) {
            out += fmt::format(", {} authentic", count_of_packets(opened));
        }
    }
    if (clear > 0) {
        out += fmt::format("{}{} stream{} of RTP in clear", out.empty() ? "" : "; ", clear,
                           clear == 1 ? "" : "s");
    }
    return out;
}

// [RFC 5630 §3.1.3] A request to a sips URI goes over TLS on every hop, up to the last.
void look_at_sips(const Call& call, Security& out) {
    if (std::ranges::none_of(call.messages, [](const Message& m) { return m.sips; })) {
        return;
    }
    const auto clear = std::ranges::find(out.hops, false, &Hop::secure);
    out.sips_broken = clear != out.hops.end();
    out.sips =
        out.sips_broken
            ? fmt::format("broken: a sips URI was called, and {} went over {} (RFC 5630 "
                          "§3.1.3)",
                          ends_of(*clear), to_string(clear->transport))
            : fmt::format("kept on the {} hop{} that {} seen", out.hops.size(),
                          out.hops.size() == 1 ? "" : "s", out.hops.size() == 1 ? "was" : "were");
}

// SDES trusts whoever ends TLS [RFC 4568 §8.3]: all who receive a key on a hop before the last.
void look_at_keys(const Call& call, Security& out) {
    std::vector<const Hop*> shown;
    for (const auto& hop : out.hops) {
        if (hop.keys_shown) {
            shown.push_back(&hop);
        }
    }
    if (shown.empty()) {
        return;
    }
    const auto clear = std::ranges::find(shown, false, [](const Hop* h) { return h->secure; });
    if (clear != shown.end()) {
        out.keys_exposed = fmt::format("to anyone on the way {} ({})", ends_of(**clear),
                                       to_string((*clear)->transport));
        return;
    }
    if (shown.size() == 1) {
        out.keys_exposed = fmt::format("to whoever ends TLS at {}", to_string(shown[0]->server));
        return;
    }
    for (std::size_t i = 0; i + 1 < shown.size() && i < 4; ++i) {
        out.keys_exposed += fmt::format("{}{}", i == 0 ? "to the server at " : ", ",
                                        to_string(call.messages[shown[i]->first].destination));
    }
    out.keys_exposed += ", between the hops";
}

void look_at_bodies(const Call& call, Security& out) {
    using Signed = SecuredBody::Signed;
    using Sealed = SecuredBody::Sealed;
    if (std::ranges::none_of(call.messages, [](const Message& m) {
            return m.is_signed != static_cast<std::uint32_t>(Signed::No) ||
                   m.sealed != static_cast<std::uint32_t>(Sealed::No);
        })) {
        return; // as in most calls
    }
    const auto add = [&](auto state, std::string_view what) {
        const auto n = std::ranges::count_if(call.messages, [&](const Message& m) {
            const auto is = std::is_same_v<decltype(state), Signed> ? m.is_signed : m.sealed;
            return m.is_first() && is == static_cast<std::uint32_t>(state);
        });
        if (n > 0) {
            out.smime += fmt::format("{}{} {}", out.smime.empty() ? "" : ", ", n, what);
        }
    };
    add(Signed::Good, "signed end to end");
    add(Signed::Bad, "with a signature that does not verify");
    add(Signed::Unproven, "signed by a certificate that nobody here vouches for");
    add(Sealed::Opened, "encrypted end to end");
    add(Sealed::Partly, "encrypted in part, the session description in clear");
    add(Sealed::Closed, "encrypted and not opened");
    add(Sealed::Unreadable, "that could not be read");
}

// The gravest first.
std::string weakest_of(const Call& call, const Security& s) {
    const auto exposed =
        std::ranges::find_if(s.hops, [](const Hop& h) { return h.keys_shown && !h.secure; });
    if (exposed != s.hops.end()) {
        return fmt::format("{} over {}: the media key is readable there", ends_of(*exposed),
                           to_string(exposed->transport));
    }
    if (s.sips_broken) {
        return "the promise of the sips URI is " + s.sips;
    }
    const auto clear = std::ranges::find(s.hops, false, &Hop::secure);
    if (clear != s.hops.end()) {
        auto out = ends_of(*clear);
        out.append(" over ").append(to_string(clear->transport));
        out.append(": anyone on the way can read and change it");
        return out;
    }
    const auto pretended = std::ranges::find_if(
        call.streams, [](const MediaStream& m) { return m.srtp.length > 0 && !is_protected(m); });
    if (pretended != call.streams.end()) {
        return fmt::format("SRTP was agreed on, and the media {} → {} is not encrypted",
                           to_string(pretended->source), to_string(pretended->destination));
    }
    if (s.media == Protection::Clear || s.media == Protection::Mixed) {
        return "the media is not encrypted";
    }
    const auto weak = std::ranges::find(s.hops, true, &Hop::weak);
    if (weak != s.hops.end()) {
        return fmt::format("{}: {}", ends_of(*weak), weak->notes.front());
    }
    const auto unproved = std::ranges::find_if(s.hops, [](const Hop& h) {
        return h.secure && !h.verified_good &&
               (h.verified.find("does not name") != std::string::npos || !h.notes.empty());
    });
    if (unproved != s.hops.end()) {
        return fmt::format("{}: {}", ends_of(*unproved),
                           unproved->notes.empty() ? unproved->verified : unproved->notes.front());
    }
    if (!s.keys_exposed.empty()) {
        return "the media keys are shown " + s.keys_exposed;
    }
    return "TLS protects each hop; every server on the way can read the signalling";
}

} // namespace

Security judge_security(const Call& call) {
    Security verdict;
    verdict.hops = hops_of(call);
    std::size_t clear = 0;
    std::size_t secure = 0;
    for (const auto& hop : verdict.hops) {
        (hop.secure ? secure : clear) += hop.messages;
    }
    verdict.signalling = combine(clear, secure);
    verdict.media = look_at_media(call);
    verdict.media_by = media_in_words(call, verdict.media);
    look_at_sips(call, verdict);
    look_at_keys(call, verdict);
    look_at_bodies(call, verdict);
    verdict.weakest = weakest_of(call, verdict);
    return verdict;
}

} // namespace cw::flow
