// Bodies of S/MIME. Random octets are seldom CMS, so the input is a script: the first octet chooses
// what is made of the rest. Raw octets as a body of every type; a whole body, signed or encrypted
// here with keys that the reader has, of which octets are changed, taken out or doubled; wrappings
// within wrappings. Whatever comes, nothing that was changed is good, and what was left alone is.
#include <algorithm>
#include <array>
#include <string>

#include "base/bytes.hpp"
#include "fuzz.hpp"
#include "smime/opening.hpp"
#include "smime/sealing.hpp"

namespace {

using namespace cw;
using namespace cw::smime;

constexpr Instant now{1'790'000'000'000'000'000};
constexpr std::string_view sender = "alice@example.com";

// Made once: keys are not what is tested.
struct People {
    People() {
        ca = crypto::make_ca({.name = "Fuzz CA", .validity = crypto::valid_for(now, 365)}).value();
        alice = person("alice@example.com");
        bob = person("bob@example.com");
        keys.trust(ca.certificate.get());
        keys.add(bob);
    }
    [[nodiscard]] crypto::Credential person(const char* user) const {
        return crypto::issue(ca, {.users = {user},
                                  .validity = crypto::valid_for(now, 30),
                                  .email_protection = true})
            .value();
    }
    crypto::Credential ca;
    crypto::Credential alice;
    crypto::Credential bob;
    Keyring keys;
};
const People& people() {
    static const People made;
    return made;
}

Opened open(const Sealed& sealed) {
    auto opened = open_body(sealed.type, sealed.encoding, sealed.body,
                            {.keys = people().keys, .at = now, .sender = std::string{sender}});
    require(opened.parts.size() <= 256);
    require(opened.certificates.size() <= 64);
    (void)opened.badge();
    (void)opened.fault();
    return opened;
}

std::string_view take(std::string_view& input, std::size_t size) {
    const auto part = input.substr(0, size);
    input.remove_prefix(part.size());
    return part;
}

Sealed made(std::uint8_t how, const std::string& entity) {
    const std::array<const X509*, 1> to{people().bob.certificate.get()};
    switch (how % 4) {
    case 0:
        return sign_beside(entity, people().alice, now).value();
    case 1:
        return sign_around(entity, people().alice, now).value();
    case 2:
        return encrypt(entity, to, crypto::ContentCipher::Aes128Gcm).value();
    default:
        return encrypt(entity, to, crypto::ContentCipher::Aes256Cbc).value();
    }
}

void raw(std::uint8_t how, std::string_view input) {
    constexpr std::array<const char*, 8> types{
        "application/pkcs7-mime",
        "application/pkcs7-mime;smime-type=signed-data",
        "multipart/signed;boundary=b;protocol=\"application/pkcs7-signature\"",
        "multipart/mixed;boundary=b",
        "message/sip",
        "multipart/signed;boundary=",
        "text/plain",
        "application/x-pkcs7-mime"};
    const Sealed sealed{.type = types[how % types.size()],
                        .disposition = {},
                        .encoding = (how & 0x40) != 0 ? "base64" : "",
                        .body = std::string{input}};
    const auto opened = open(sealed);
    for (const auto& layer : opened.layers) { // nobody's signature comes by chance
        for (const auto& signature : layer.signatures) {
            require(signature.state != Signature::State::Good);
        }
    }
}

// Octets of a whole body become others. Where none did, all is good.
void changed(std::uint8_t how, std::string_view input) {
    const auto wraps = take(input, 1);
    const auto said = std::string{take(input, 16)};
    auto entity = to_entity("text/plain", said);
    Sealed sealed;
    const auto rounds = wraps.empty() ? 1 : 1 + static_cast<std::uint8_t>(wraps[0]) % 14;
    for (int round = 0; round < rounds; ++round) {
        const auto kind = static_cast<std::uint8_t>(how + round);
        sealed = made(kind, entity);
        entity = sealed.as_entity();
    }
    const auto whole = sealed.body;
    while (input.size() >= 3) {
        const auto edit = take(input, 3);
        const auto at =
            (static_cast<std::uint8_t>(edit[0]) << 8 | static_cast<std::uint8_t>(edit[1])) %
            std::max<std::size_t>(1, sealed.body.size());
        if (sealed.body.empty()) {
            break;
        }
        switch (static_cast<std::uint8_t>(edit[2]) % 4) {
        case 0:
            sealed.body[at] = static_cast<char>(sealed.body[at] ^ edit[2] ^ 4);
            break;
        case 1:
            sealed.body.erase(at, 1 + static_cast<std::uint8_t>(edit[2]) / 4);
            break;
        case 2:
            sealed.body.insert(at, 1, edit[2]);
            break;
        default:
            sealed.body.resize(at);
            break;
        }
    }
    const auto opened = open(sealed);
    if (sealed.body == whole && rounds <= 5) {
        require(opened.problem.empty());
        require(opened.good());
    }
    // Octets that nothing protects may change: the multipart around, the CMS's own framing. What
    // was said may not.
    for (const auto& part : opened.parts) {
        require(!part.is_signed || part.content == said);
    }
}

} // namespace

void fuzz(std::span<const std::uint8_t> data) {
    auto input = as_text(data);
    if (input.size() < 2 || input.size() > 65536) {
        return;
    }
    const auto how = static_cast<std::uint8_t>(take(input, 1)[0]);
    if (how < 0x80) {
        raw(how, input);
    } else {
        changed(how, input);
    }
}
