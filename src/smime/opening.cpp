#include "smime/opening.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "sip/multipart.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"

namespace cw::smime {

namespace {

constexpr int deepest = 12;              // entities within entities
constexpr int most_parts = 256;          // of all multiparts together
constexpr int most_work = 64;            // signatures and attempts with keys, together
constexpr std::size_t longest_path = 16; // certificates

bool is_pkcs7_mime(const sip::ContentType& type) {
    return type.is("application", "pkcs7-mime") || type.is("application", "x-pkcs7-mime");
}
bool is_pkcs7_signature(std::string_view type) {
    return iequals(type, "application/pkcs7-signature") ||
           iequals(type, "application/x-pkcs7-signature");
}

// What a Content-Transfer-Encoding has made of the octets is undone. Nothing: not understood.
std::optional<std::string> decoded(std::string_view encoding, std::string_view text) {
    const auto is = [&](std::string_view name) { return iequals(trim(encoding), name); };
    if (encoding.empty() || is("binary") || is("8bit") || is("7bit")) {
        return std::string{text};
    }
    if (!is("base64")) {
        return std::nullopt;
    }
    std::string tight;
    tight.reserve(text.size());
    std::ranges::copy_if(text, std::back_inserter(tight),
                         [](char c) { return c != '\r' && c != '\n' && c != ' ' && c != '\t'; });
    std::string out(tight.size() / 4 * 3 + 3, '\0');
    const auto size =
        decode_base64(tight, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
    if (!size) {
        return std::nullopt;
    }
    out.resize(*size);
    return out;
}

// Inside of what was encrypted stands a MIME entity [RFC 8551 §3.1]; what a wrong key makes of CBC
// does not look like one.
bool looks_like_entity(std::string_view text) {
    const auto line = text.substr(0, text.find('\n'));
    const auto colon = line.find(':');
    return colon != 0 && colon != std::string_view::npos &&
           std::ranges::all_of(line.substr(0, colon), [](char c) { return c > 0x20 && c < 0x7f; });
}

// The certificates above `leaf` among `known`, for verify_chain: by their names only, so that no
// order and no superfluous ones matter.
std::vector<crypto::CertificatePtr> path_above(X509* leaf,
                                               std::span<const crypto::CertificatePtr> sent,
                                               std::span<const crypto::CertificatePtr> known) {
    std::vector<crypto::CertificatePtr> path;
    X509_up_ref(leaf);
    path.emplace_back(leaf);
    for (std::size_t i = 0; i < path.size() && path.size() < longest_path; ++i) {
        const auto* issuer = X509_get_issuer_name(path[i].get());
        for (const auto& group : {sent, known}) {
            for (const auto& candidate : group) {
                const bool there = std::ranges::any_of(path, [&](const auto& one) {
                    return X509_cmp(one.get(), candidate.get()) == 0;
                });
                if (!there && path.size() < longest_path &&
                    X509_NAME_cmp(X509_get_subject_name(candidate.get()), issuer) == 0) {
                    X509_up_ref(candidate.get());
                    path.emplace_back(candidate.get());
                }
            }
        }
    }
    return path;
}

class Opening {
  public:
    explicit Opening(const Question& question) : question_(question) {}

    // What protects an entity from outside.
    struct Shell {
        bool is_signed = false;
        bool encrypted = false;
        int depth = 0;
        [[nodiscard]] Shell inner() const { return {is_signed, encrypted, depth + 1}; }
    };

    void entity(std::string_view type_text, std::string_view encoding, std::string_view content,
                Shell shell);
    Opened finish() { return std::move(opened_); }

  private:
    void entity(std::string_view bytes, Shell shell) {
        const auto part = sip::BodyPart::of(bytes);
        const auto type = part.value(sip::HeaderId::ContentType);
        entity(type.empty() ? "text/plain" : type, part.value("Content-Transfer-Encoding"),
               part.content, shell);
    }
    void multipart(const sip::ContentType& type, std::string_view content, Shell shell);
    void multipart_signed(const sip::ContentType& type, std::string_view content, Shell shell);
    void pkcs7(std::string_view der, Shell shell);
    void encrypted(const crypto::Cms& cms, Shell shell);
    void tunnelled(std::string_view message, Shell shell);
    bool judge_signers(const crypto::Cms& cms, std::string_view content);
    Signature judge_signer(crypto::CmsSigner&& signer,
                           std::span<const crypto::CertificatePtr> sent);
    void judge_trust(Signature& signature, bool weak_digest,
                     std::span<const crypto::CertificatePtr> sent);

    void cannot(std::string why) {
        if (opened_.problem.empty()) {
            opened_.problem = std::move(why);
        }
    }

    const Question& question_;
    Opened opened_;
    int parts_ = 0;
    int work_ = 0;
};

void Opening::entity(std::string_view type_text, std::string_view encoding,
                     std::string_view content, Shell shell) {
    if (shell.depth > deepest) {
        cannot("its parts are nested deeper than 12");
        return;
    }
    if (++parts_ > most_parts) {
        cannot("it has more than 256 parts");
        return;
    }
    const auto type = sip::parse_content_type(type_text);
    if (!type) {
        cannot("the Content-Type of a part is malformed");
        return;
    }
    if (iequals(type->type, "multipart")) {
        if (type->is("multipart", "signed")) {
            multipart_signed(*type, content, shell);
        } else {
            multipart(*type, content, shell);
        }
        return;
    }
    const auto octets = decoded(encoding, content);
    if (is_pkcs7_mime(*type)) {
        if (octets) {
            pkcs7(*octets, shell);
        } else {
            cannot("its Content-Transfer-Encoding cannot be undone: " +
                   std::string{encoding.substr(0, 40)});
        }
        return;
    }
    opened_.parts.push_back({std::string{type_text}, octets ? *octets : std::string{content},
                             shell.is_signed, shell.encrypted});
    if (type->is("message", "sip")) {
        tunnelled(content, shell.inner());
    }
}

// [RFC 3261 §23.4] "Any traditional MIME bodies (such as SDP) SHOULD be attached to the "inner"
// message"
void Opening::tunnelled(std::string_view text, Shell shell) {
    sip::HeaderIndex index;
    const auto message = sip::index(text, index);
    if (!message || message->body().empty()) {
        return;
    }
    const auto type = message->value(sip::HeaderId::ContentType);
    entity(type.empty() ? "text/plain" : type, {}, message->body(), shell);
}

void Opening::multipart(const sip::ContentType& type, std::string_view content, Shell shell) {
    auto parts = sip::Multipart::open(content, type);
    if (!parts) {
        cannot(parts.error().what);
        return;
    }
    while (const auto part = parts->next()) {
        if (parts_ > most_parts) {
            return;
        }
        entity(part->bytes, shell.inner());
    }
}

// [RFC 8551 §3.5.3.2] Two parts: what is signed, and the signature over its octets.
void Opening::multipart_signed(const sip::ContentType& type, std::string_view content,
                               Shell shell) {
    auto parts = sip::Multipart::open(content, type);
    if (!parts) {
        cannot(parts.error().what);
        return;
    }
    const auto first = parts->next();
    const auto second = parts->next();
    if (!first || !second || parts->next()) {
        cannot("a multipart/signed has two parts, this one has not");
        return;
    }
    auto inner = shell.inner();
    const auto kind = second->content_type();
    const auto encoding = second->value("Content-Transfer-Encoding");
    const auto der = decoded(encoding, second->content);
    if (!kind || !is_pkcs7_signature(trim(kind->essence))) {
        cannot("it is signed, but not by S/MIME: " +
               std::string{kind ? kind->essence.substr(0, 60) : std::string_view{}});
    } else if (!der) {
        cannot("the Content-Transfer-Encoding of its signature cannot be undone");
    } else if (const auto cms = crypto::Cms::read(as_bytes(*der)); !cms) {
        cannot(fmt::format("its signature: {}", cms.error().what));
    } else if (cms->kind() != crypto::CmsKind::Signed) {
        cannot("in the place of its signature stands " + cms->type());
    } else {
        inner.is_signed = judge_signers(*cms, first->bytes) || shell.is_signed;
    }
    entity(first->bytes, inner);
}

void Opening::pkcs7(std::string_view der, Shell shell) {
    const auto cms = crypto::Cms::read(as_bytes(der));
    if (!cms) {
        cannot(cms.error().what);
        return;
    }
    switch (cms->kind()) {
    case crypto::CmsKind::Signed: {
        const auto content = cms->content();
        auto inner = shell.inner();
        inner.is_signed = judge_signers(*cms, content.value_or("")) || shell.is_signed;
        if (content) {
            entity(*content, inner);
        }
        return;
    }
    case crypto::CmsKind::Enveloped:
    case crypto::CmsKind::AuthEnveloped:
        encrypted(*cms, shell);
        return;
    case crypto::CmsKind::Other:
        break;
    }
    cannot("it is " + cms->type() + ", which is not opened");
}

void Opening::encrypted(const crypto::Cms& cms, Shell shell) {
    Layer layer;
    layer.encrypted = true;
    layer.cipher = cms.cipher();
    layer.authenticated = cms.kind() == crypto::CmsKind::AuthEnveloped;
    for (const auto& name : cms.recipients()) {
        const auto person = question_.keys.person_named(name);
        layer.recipients.push_back(person.empty() ? crypto::describe(name) : person);
    }
    std::string content;
    bool named = false;
    for (const auto& opener : question_.keys.openers_of(cms)) {
        named = named || opener.key.certificate != nullptr;
        if (++work_ > most_work) {
            cannot("it takes more than 64 signatures and keys to read");
            break;
        }
        auto text = cms.open(opener.key);
        if (text && looks_like_entity(*text)) {
            layer.opened_by = opener.name.empty() ? "a key without a certificate" : opener.name;
            content = std::move(*text);
            break;
        }
    }
    const bool opened = !layer.opened_by.empty();
    if (!opened) {
        std::string whom;
        for (const auto& one : layer.recipients) {
            whom += (whom.empty() ? "" : ", ") + one;
        }
        cannot(named ? "encrypted for " + whom +
                           ", whose key is here, but it does not open it: it was changed, or the "
                           "key is another"
                     : "encrypted for " + whom + ", and no key of theirs is here");
    }
    opened_.layers.push_back(std::move(layer));
    if (opened) {
        auto inner = shell.inner();
        inner.encrypted = true;
        entity(content, inner);
    }
}

// True when one signature is good.
bool Opening::judge_signers(const crypto::Cms& cms, std::string_view content) {
    auto sent = cms.certificates();
    Layer layer;
    bool good = false;
    work_ += 1;
    if (work_ > most_work) {
        cannot("it takes more than 64 signatures and keys to read");
        return false;
    }
    for (auto& signer : cms.verify(content, question_.keys.certificates())) {
        ++work_;
        layer.signatures.push_back(judge_signer(std::move(signer), sent));
        good = good || layer.signatures.back().state == Signature::State::Good;
    }
    opened_.layers.push_back(std::move(layer));
    for (auto& certificate : sent) {
        if (opened_.certificates.size() < crypto::most_cms_certificates) {
            opened_.certificates.push_back(std::move(certificate));
        }
    }
    return good;
}

Signature Opening::judge_signer(crypto::CmsSigner&& signer,
                                std::span<const crypto::CertificatePtr> sent) {
    using From = crypto::CmsSigner::State;
    using To = Signature::State;
    Signature out;
    out.signed_at = signer.signed_at;
    out.certificate = std::move(signer.certificate);
    out.who = out.certificate == nullptr ? describe(signer.name) : person_of(out.certificate.get());
    switch (signer.state) {
    case From::Good:
        judge_trust(out, signer.weak, sent);
        break;
    case From::Changed:
        out.state = To::Changed;
        out.why = "it was changed after " + out.who + " had signed it";
        break;
    case From::BadSignature:
        out.state = To::Forged;
        out.why = "the signature does not fit the certificate of " + out.who;
        break;
    case From::NoCertificate:
        out.state = To::NoCertificate;
        out.why = "the signer's certificate was not sent along and is not known: " + out.who;
        break;
    case From::Unsupported:
        out.why = "it is signed with an algorithm that is not understood";
        break;
    }
    return out;
}

void Opening::judge_trust(Signature& signature, bool weak_digest,
                          std::span<const crypto::CertificatePtr> sent) {
    const auto presented =
        path_above(signature.certificate.get(), sent, question_.keys.certificates());
    crypto::ChainQuestion question{
        .presented = presented,
        .trusted = question_.keys.trusted(),
        .crls = question_.keys.crls(),
        .accept_weak = question_.accept_weak,
        .at = question_.at,
        .expected = question_.sender,
        .identity = {.purposes = crypto::PurposePolicy::Smime},
    };
    signature.chain = crypto::verify_chain(question);
    signature.weak = weak_digest;
    if (weak_digest && !question_.accept_weak) {
        signature.state = Signature::State::Untrusted;
        signature.why = "signed with SHA-1 or MD5, which can be forged";
    } else if (signature.chain.good()) {
        signature.state = Signature::State::Good;
    } else {
        const auto& first = signature.chain.faults.front();
        const bool stranger =
            signature.chain.faults.size() == 1 && (first.rule == crypto::ChainRule::OtherNames ||
                                                   first.rule == crypto::ChainRule::NoNames);
        signature.state = stranger ? Signature::State::OtherSender : Signature::State::Untrusted;
        signature.why = stranger
                            ? "signed by " + signature.who + ", but sent by " + question_.sender
                            : "signed by " + signature.who +
                                  ", whose certificate is not good: " + signature.chain.summary();
    }
}

std::string listed(const std::vector<std::string>& names) {
    constexpr std::size_t most = 3;
    std::string out;
    for (std::size_t i = 0; i < std::min(names.size(), most); ++i) {
        out += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
    }
    return names.size() > most ? fmt::format("{} and {} more", out, names.size() - most) : out;
}

} // namespace

const char* to_string(Signature::State state) {
    constexpr std::array names{"good",      "changed",      "forged",     "no certificate",
                               "untrusted", "other sender", "unsupported"};
    static_assert(names.size() == static_cast<std::size_t>(Signature::State::Unsupported) + 1);
    return names[static_cast<std::size_t>(state)];
}

bool Opened::encrypted() const {
    return std::ranges::any_of(layers, &Layer::encrypted);
}

std::string Opened::fault() const {
    for (const auto& layer : layers) {
        for (const auto& signature : layer.signatures) {
            if (signature.state != Signature::State::Good) {
                return signature.why;
            }
        }
    }
    return problem;
}

const Part* Opened::part(std::string_view essence) const {
    const auto found = std::ranges::find_if(parts, [&](const Part& part) {
        const auto type = sip::parse_content_type(part.type);
        return type && iequals(type->essence, essence);
    });
    return found == parts.end() ? nullptr : &*found;
}

std::string Opened::badge() const {
    std::string out;
    std::string last;
    const auto add = [&](std::string more) {
        if (more != last) { // layers that are alike are told once
            out += (out.empty() ? "" : ", ") + more;
        }
        last = std::move(more);
    };
    const bool not_ours = problem.starts_with("encrypted for ");
    if (!problem.empty() && !not_ours) { // first, so that no list of layers hides it
        add("cannot be read: " + problem);
    }
    for (const auto& layer : layers) {
        if (layer.encrypted) {
            add(fmt::format("encrypted for {}{}", listed(layer.recipients),
                            layer.cipher.empty() ? "" : " (" + layer.cipher + ")"));
        }
        for (const auto& signature : layer.signatures) {
            add(signature.state != Signature::State::Good ? signature.why
                : signature.weak ? "signed by " + signature.who + " (SHA-1, which can be forged)"
                                 : "signed by " + signature.who);
        }
    }
    if (not_ours) {
        add(problem.contains("no key of theirs") ? "no key of theirs is here"
                                                 : "the key here does not open it");
    }
    return out;
}

bool may_be_secured(std::string_view content_type) {
    if (content_type == "application/sdp") {
        return false; // what most bodies are, told without parsing
    }
    const auto type = sip::parse_content_type(content_type);
    return type && (iequals(type->type, "multipart") || is_pkcs7_mime(*type));
}

bool is_secured_type(std::string_view content_type) {
    const auto type = sip::parse_content_type(content_type);
    return type && (type->is("multipart", "signed") || is_pkcs7_mime(*type));
}

Opened open_body(std::string_view content_type, std::string_view encoding, std::string_view body,
                 const Question& question) {
    Opening opening{question};
    opening.entity(content_type, encoding, body, {});
    return opening.finish();
}

Opened open_body(const sip::MessageView& message, const Question& question) {
    std::string_view encoding;
    for (const auto& header : message.headers()) {
        if (iequals(header.name, "Content-Transfer-Encoding")) {
            encoding = header.value;
        }
    }
    return open_body(message.value(sip::HeaderId::ContentType), encoding, message.body(), question);
}

} // namespace cw::smime
