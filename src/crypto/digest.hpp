// HTTP digest, as SIP uses it: H(A1), response, with MD5, SHA-256 and SHA-512/256, qop auth and
// auth-int [RFC 7616 §3.4, RFC 8760, RFC 3261 §22]. Both sides: the server compares, the client
// answers (digest_client.hpp).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace cw::crypto {

// Weakest first.
enum class DigestAlgorithm : std::uint8_t { Md5, Sha256, Sha512_256 };
inline constexpr std::array digest_algorithms{DigestAlgorithm::Sha512_256, DigestAlgorithm::Sha256,
                                              DigestAlgorithm::Md5}; // strongest first

std::string_view to_string(DigestAlgorithm a); // "MD5", "SHA-256", "SHA-512-256"
// In any case; no name stands for MD5 [RFC 7616 §3.3]. Nothing for one that we do not have.
std::optional<DigestAlgorithm> digest_algorithm(std::string_view name);

// A hash in lower-case hexadecimal digits.
class HexDigest {
  public:
    [[nodiscard]] std::string_view text() const { return {text_.data(), size_}; }

  private:
    friend class Digester;
    std::array<char, 64> text_{};
    std::size_t size_ = 0;
};

// Everything that a response is made of [RFC 7616 §3.4.1]. Views.
struct DigestQuestion {
    DigestAlgorithm algorithm = DigestAlgorithm::Md5;
    std::string_view ha1; // hexadecimal
    std::string_view method;
    std::string_view uri;
    std::string_view nonce;
    std::string_view qop; // "auth", "auth-int", or empty as before RFC 2617
    std::string_view nc;
    std::string_view cnonce;
    std::string_view body; // for auth-int
};

// Hashes with contexts that are made once. Not thread-safe.
class Digester {
  public:
    Digester();
    ~Digester();
    Digester(const Digester&) = delete;
    Digester& operator=(const Digester&) = delete;

    // H(part:part:…).
    HexDigest hash(DigestAlgorithm algorithm, std::initializer_list<std::string_view> parts);
    // H(user:realm:password) [RFC 7616 §3.4.2].
    HexDigest ha1(DigestAlgorithm algorithm, std::string_view user, std::string_view realm,
                  std::string_view password) {
        return hash(algorithm, {user, realm, password});
    }
    HexDigest response(const DigestQuestion& question);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Takes as long whatever differs; in any case of the hexadecimal digits.
bool same_digest(std::string_view a, std::string_view b);

} // namespace cw::crypto
