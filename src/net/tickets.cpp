#include "net/tickets.hpp"

#include <algorithm>
#include <cstring>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

namespace cw::net {
namespace {

constexpr int iv_size = 16;

bool set_mac(EVP_MAC_CTX* mac, const TicketKey& key) {
    auto secret = key.mac;
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret.data(), secret.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    const bool good = EVP_MAC_CTX_set_params(mac, params) == 1;
    OPENSSL_cleanse(secret.data(), secret.size());
    return good;
}

// The old keys are wiped when the last who uses them lets go.
std::shared_ptr<const Tickets::Keys> shared(Tickets::Keys keys) {
    return {new Tickets::Keys(std::move(keys)), [](Tickets::Keys* old) {
                OPENSSL_cleanse(old->data(), old->size() * sizeof(TicketKey));
                delete old;
            }};
}

} // namespace

TicketKey TicketKey::random() {
    TicketKey key;
    RAND_bytes(key.name.data(), static_cast<int>(key.name.size()));
    RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size()));
    RAND_priv_bytes(key.mac.data(), static_cast<int>(key.mac.size()));
    return key;
}

Tickets::Tickets()
    : keys_(shared({TicketKey::random()})),
      aes_(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr)) {}

Tickets::~Tickets() {
    EVP_CIPHER_free(aes_);
}

void Tickets::replace(Keys keys) {
    if (keys.size() > most_keys) {
        keys.resize(most_keys);
    }
    auto set = shared(std::move(keys));
    const std::lock_guard lock{mutex_};
    keys_ = std::move(set);
}

void Tickets::rotate() {
    Keys set{TicketKey::random()};
    const auto old = keys();
    set.insert(set.end(), old->begin(), old->end());
    replace(std::move(set));
}

std::shared_ptr<const Tickets::Keys> Tickets::keys() const {
    const std::lock_guard lock{mutex_};
    return keys_;
}

int Tickets::prepare(bool seal, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                     EVP_MAC_CTX* mac) const {
    const auto set = keys();
    if (set->empty()) {
        return 0;
    }
    if (seal) {
        const auto& key = set->front();
        std::memcpy(name, key.name.data(), key.name.size());
        const bool good = RAND_bytes(iv, iv_size) == 1 && set_mac(mac, key) &&
                          EVP_EncryptInit_ex2(cipher, aes_, key.cipher.data(), iv, nullptr) == 1;
        return good ? 1 : -1;
    }
    const auto key = std::ranges::find_if(*set, [name](const TicketKey& k) {
        return std::memcmp(k.name.data(), name, k.name.size()) == 0;
    });
    if (key == set->end()) {
        return 0;
    }
    const bool good = set_mac(mac, *key) &&
                      EVP_DecryptInit_ex2(cipher, aes_, key->cipher.data(), iv, nullptr) == 1;
    return !good ? -1 : key == set->begin() ? 1 : 2;
}

} // namespace cw::net
