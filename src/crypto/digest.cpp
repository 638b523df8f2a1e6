#include "crypto/digest.hpp"

#include <algorithm>
#include <string>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/text.hpp"

namespace cw::crypto {
namespace {

struct FreeMd {
    void operator()(EVP_MD* md) const { EVP_MD_free(md); }
};
struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

struct Name {
    DigestAlgorithm algorithm;
    const char* in_sip;
    const char* in_openssl;
};
constexpr std::array names{Name{DigestAlgorithm::Md5, "MD5", "MD5"},
                           Name{DigestAlgorithm::Sha256, "SHA-256", "SHA2-256"},
                           Name{DigestAlgorithm::Sha512_256, "SHA-512-256", "SHA2-512/256"}};

} // namespace

std::string_view to_string(DigestAlgorithm a) {
    return names[static_cast<std::size_t>(a)].in_sip;
}

std::optional<DigestAlgorithm> digest_algorithm(std::string_view name) {
    if (name.empty()) {
        return DigestAlgorithm::Md5;
    }
    for (const auto& n : names) {
        if (iequals(n.in_sip, name)) {
            return n.algorithm;
        }
    }
    return std::nullopt;
}

// Fetched once: looking an algorithm up by name costs more than hashing.
struct Digester::Impl {
    std::array<std::unique_ptr<EVP_MD, FreeMd>, names.size()> algorithms;
    std::unique_ptr<EVP_MD_CTX, FreeContext> context{EVP_MD_CTX_new()};
    std::string joined; // empty but within hash()
};

Digester::Digester() : impl_(std::make_unique<Impl>()) {
    impl_->joined.reserve(512); // so that it leaves no copies behind
    for (const auto& n : names) {
        impl_->algorithms[static_cast<std::size_t>(n.algorithm)].reset(
            EVP_MD_fetch(nullptr, n.in_openssl, nullptr));
    }
}
Digester::~Digester() = default;

HexDigest Digester::hash(DigestAlgorithm algorithm, std::initializer_list<std::string_view> parts) {
    HexDigest result;
    const auto* md = impl_->algorithms[static_cast<std::size_t>(algorithm)].get();
    auto* context = impl_->context.get();
    if (md == nullptr || EVP_DigestInit_ex2(context, md, nullptr) != 1) {
        return result; // not in this OpenSSL, as MD5 under FIPS; an empty digest equals nothing
    }
    // In one piece: each update costs as much as hashing some sixty bytes.
    auto& joined = impl_->joined;
    for (const auto part : parts) {
        joined.append(part).push_back(':');
    }
    EVP_DigestUpdate(context, joined.data(), joined.size() - 1);
    OPENSSL_cleanse(joined.data(), joined.size()); // it may have been a password
    joined.clear();
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context, octets.data(), &size);
    const auto count = std::min<std::size_t>(size, result.text_.size() / 2);
    for (std::size_t i = 0; i < count; ++i) {
        result.text_[2 * i] = "0123456789abcdef"[octets[i] >> 4];
        result.text_[2 * i + 1] = "0123456789abcdef"[octets[i] & 15];
    }
    result.size_ = 2 * count;
    return result;
}

// [RFC 7616 §3.4.1, §3.4.3]
HexDigest Digester::response(const DigestQuestion& q) {
    HexDigest ha2;
    if (q.qop == "auth-int") {
        const auto body = hash(q.algorithm, {q.body});
        ha2 = hash(q.algorithm, {q.method, q.uri, body.text()});
    } else {
        ha2 = hash(q.algorithm, {q.method, q.uri});
    }
    return q.qop.empty() ? hash(q.algorithm, {q.ha1, q.nonce, ha2.text()})
                         : hash(q.algorithm, {q.ha1, q.nonce, q.nc, q.cnonce, q.qop, ha2.text()});
}

bool same_digest(std::string_view a, std::string_view b) {
    if (a.size() != b.size() || a.empty()) {
        return false;
    }
    unsigned different = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        different |= static_cast<unsigned>(static_cast<std::uint8_t>(ascii_lower(a[i])) ^
                                           static_cast<std::uint8_t>(ascii_lower(b[i])));
    }
    return different == 0;
}

} // namespace cw::crypto
