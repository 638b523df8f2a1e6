// Opens a body that is signed or encrypted [RFC 3261 §23, RFC 8551 §3]: multipart/signed and
// application/pkcs7-mime, within each other and within other multiparts. Says who signed it and
// whether that can be trusted, for whom it was encrypted, what is inside, or why it cannot be read.
//
// Hostile as bodies are, all of it is bounded: depth, parts, signers, attempts. Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "crypto/chain.hpp"
#include "sip/message.hpp"
#include "smime/keyring.hpp"

namespace cw::smime {

struct Question {
    const Keyring& keys;
    Instant at;               // dates of certificates are judged at this time
    std::string sender = {};  // its address of record, which the certificate has to name
    bool accept_weak = false; // SHA-1, RSA under 2048 bits
};

struct Signature {
    enum class State : std::uint8_t {
        Good,          // by `who`, whose certificate ends at a trusted CA
        Changed,       // what was signed was something else
        Forged,        // the signature does not fit the certificate
        NoCertificate, // the signer's certificate is not known
        Untrusted,     // it fits, but its certificate cannot be trusted: see `why`
        OtherSender,   // it fits and is trusted, but somebody else has signed
        Unsupported,
    };
    State state = State::Unsupported;
    std::string who;                    // "alice@example.com", or how the signer is named
    std::string why;                    // a sentence, of what is not good
    bool weak = false;                  // good, but with SHA-1 or MD5
    Instant signed_at;                  // as the signer says
    crypto::CertificatePtr certificate; // may be null
    crypto::ChainVerdict chain;         // of that certificate
};
const char* to_string(Signature::State state); // "good", "changed", …

// One wrapping.
struct Layer {
    bool encrypted = false; // else it is signed
    // Signed:
    std::vector<Signature> signatures; // none: certificates alone
    // Encrypted:
    std::string cipher;                  // "AES-128-GCM"
    bool authenticated = false;          // a change on the way would have been found out
    std::vector<std::string> recipients; // persons, or how they are named
    std::string opened_by;               // whose key it was; empty when it was not opened
};

struct Part {
    std::string type; // the value of its Content-Type
    std::string content;
    bool is_signed = false; // by a good signature
    bool encrypted = false;
};

struct Opened {
    std::vector<Layer> layers;                        // outermost first; none: it is no S/MIME
    std::vector<Part> parts;                          // what is inside, and what stood beside it
    std::vector<crypto::CertificatePtr> certificates; // that were sent along
    std::string problem; // why something cannot be read, the first; empty when all was

    [[nodiscard]] bool secured() const { return !layers.empty() || !problem.empty(); }
    [[nodiscard]] bool encrypted() const;
    // Nothing is wrong with any layer, and there is one.
    [[nodiscard]] bool good() const { return !layers.empty() && fault().empty(); }
    // The first thing that is wrong: a signature, or why it cannot be read.
    [[nodiscard]] std::string fault() const;
    // The first part of this type: "application/sdp"; null when there is none.
    [[nodiscard]] const Part* part(std::string_view essence) const;
    // "signed by alice@example.com, encrypted for bob@example.com (AES-128-GCM)"
    [[nodiscard]] std::string badge() const;
};

// Whether it is worth opening: its type is one of S/MIME, or a multipart that may hold one.
bool may_be_secured(std::string_view content_type);
// Whether it is S/MIME or another signature by its type alone.
bool is_secured_type(std::string_view content_type);

Opened open_body(const sip::MessageView& message, const Question& question);
// `encoding` is the value of Content-Transfer-Encoding; empty: binary.
Opened open_body(std::string_view content_type, std::string_view encoding, std::string_view body,
                 const Question& question);

} // namespace cw::smime
