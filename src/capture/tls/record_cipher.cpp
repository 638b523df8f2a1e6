#include "capture/tls/record_cipher.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/provider.h>

namespace cw::capture::tls {

namespace {

constexpr std::size_t nonce_size = 12;
constexpr std::size_t explicit_nonce_size = 8; // GCM and CCM of TLS 1.2 [RFC 5288 §3]

void store_be64(std::uint8_t* out, std::uint64_t value) {
    if constexpr (std::endian::native == std::endian::little) {
        value = __builtin_bswap64(value);
    }
    std::memcpy(out, &value, sizeof value);
}

// seq_num || type || version || length [RFC 5246 §6.2.3.3]
std::array<std::uint8_t, 13> pseudo_header(std::uint64_t sequence, const Record& record,
                                           std::size_t length) {
    std::array<std::uint8_t, 13> out{};
    store_be64(out.data(), sequence);
    out[8] = record.type;
    out[9] = static_cast<std::uint8_t>(record.version >> 8);
    out[10] = static_cast<std::uint8_t>(record.version);
    out[11] = static_cast<std::uint8_t>(length >> 8);
    out[12] = static_cast<std::uint8_t>(length);
    return out;
}

std::array<std::uint8_t, nonce_size> xor_nonce(const DirectionKeys& keys, std::uint64_t sequence) {
    std::array<std::uint8_t, nonce_size> nonce{};
    std::copy_n(keys.iv.begin(), 4, nonce.begin());
    // [RFC 8446 §5.3, RFC 7905 §2]
    store_be64(nonce.data() + 4, load_be64(keys.iv.data() + 4) ^ sequence);
    return nonce;
}

bool is_aes(const Bulk& bulk) {
    return bulk.name[0] == 'A' && bulk.name[1] == 'E'; // not ARIA
}

// "The receiving implementation scans the field from the end toward the beginning until it finds a
// non-zero octet. This non-zero octet is the content type of the message." [RFC 8446 §5.4]
std::optional<Opened> without_padding(Bytes inner) {
    auto size = inner.size();
    while (size != 0 && inner[size - 1] == 0) {
        --size;
    }
    if (size == 0) {
        return std::nullopt;
    }
    return Opened{inner[size - 1], inner.first(size - 1)};
}

} // namespace

DirectionKeys::~DirectionKeys() {
    OPENSSL_cleanse(key.data(), key.size());
    OPENSSL_cleanse(iv.data(), iv.size());
    OPENSSL_cleanse(secret.data(), secret.size());
}

CipherPool::CipherPool() : scratch_(largest_record + 64) {}

CipherPool::~CipherPool() {
    OPENSSL_cleanse(scratch_.data(), scratch_.size());
    slots_.clear();
    for (auto& cipher : ciphers_) {
        cipher.cipher.reset();
    }
    if (legacy_provider_ != nullptr) {
        OSSL_PROVIDER_unload(legacy_provider_);
    }
    OSSL_LIB_CTX_free(legacy_);
}

EVP_CIPHER* CipherPool::cipher_of(std::uint8_t bulk) {
    auto& entry = ciphers_[bulk];
    if (!entry.fetched) {
        entry.fetched = true;
        const auto& description = bulk_at(bulk);
        if (description.legacy && legacy_ == nullptr) {
            legacy_ = OSSL_LIB_CTX_new();
            legacy_provider_ = OSSL_PROVIDER_load(legacy_, "legacy");
        }
        if (!description.legacy || legacy_provider_ != nullptr) {
            entry.cipher.reset(EVP_CIPHER_fetch(description.legacy ? legacy_ : nullptr,
                                                description.name, nullptr));
        }
    }
    return entry.cipher.get();
}

bool CipherPool::supports(const Suite& suite) {
    std::array<std::uint8_t, 48> digest{};
    const auto mode = bulk_of(suite).mode;
    if (mode == Mode::Unknown ||
        (suite.mac != Hash::None && !hasher_.digest(suite.mac, {}, digest.data()))) {
        return false;
    }
    return mode == Mode::Null || cipher_of(suite.bulk) != nullptr;
}

// --- contexts

CipherPool::Slot& CipherPool::take_slot(DirectionKeys& keys) {
    keys.id = ++last_id_;
    if (slots_.size() < most_contexts) {
        keys.slot = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
    } else {
        for (; slots_[hand_].used; hand_ = (hand_ + 1) % slots_.size()) {
            slots_[hand_].used = false;
        }
        keys.slot = static_cast<std::uint32_t>(hand_);
        hand_ = (hand_ + 1) % slots_.size();
    }
    auto& slot = slots_[keys.slot];
    slot.owner = keys.id;
    slot.used = true;
    return slot;
}

CipherPool::Slot* CipherPool::slot_of(const DirectionKeys& keys) {
    if (keys.id == 0 || slots_[keys.slot].owner != keys.id) {
        return nullptr;
    }
    slots_[keys.slot].used = true;
    return &slots_[keys.slot];
}

Gcm& CipherPool::gcm_for(DirectionKeys& keys) {
    if (auto* slot = slot_of(keys)) {
        return *slot->gcm;
    }
    auto& slot = take_slot(keys);
    slot.gcm = std::make_unique<Gcm>(Bytes{keys.key}.first(bulk_of(*keys.suite).key_size));
    return *slot.gcm;
}

// A context with the key set; null when OpenSSL refuses.
EVP_CIPHER_CTX* CipherPool::context_for(DirectionKeys& keys) {
    if (auto* slot = slot_of(keys)) {
        return slot->context.get();
    }
    auto& slot = take_slot(keys);
    if (!slot.context) {
        slot.context.reset(EVP_CIPHER_CTX_new());
    }
    auto* context = slot.context.get();
    const auto& bulk = bulk_of(*keys.suite);
    bool ok = context != nullptr;
    if (ok && slot.bulk != keys.suite->bulk) {
        ok = EVP_CIPHER_CTX_reset(context) == 1 &&
             EVP_DecryptInit_ex2(context, cipher_of(keys.suite->bulk), nullptr, nullptr, nullptr) ==
                 1;
        slot.bulk = keys.suite->bulk;
        if (ok && bulk.mode == Mode::Ccm) {
            ok = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, nonce_size, nullptr) == 1 &&
                 EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, bulk.tag_size, nullptr) == 1;
        }
        if (ok && bulk.mode == Mode::Cbc) {
            ok = EVP_CIPHER_CTX_set_padding(context, 0) == 1;
        }
    }
    if (!ok || EVP_DecryptInit_ex2(context, nullptr, keys.key.data(), nullptr, nullptr) != 1) {
        slot.owner = 0;
        slot.bulk = 0;
        return nullptr;
    }
    return context;
}

// --- opening

std::optional<Opened> CipherPool::open(DirectionKeys& keys, std::uint64_t sequence,
                                       const Record& record) {
    if (record.body.size() > largest_record) {
        return std::nullopt;
    }
    switch (bulk_of(*keys.suite).mode) {
    case Mode::Gcm:
    case Mode::Ccm:
    case Mode::ChaCha:
        return open_aead(keys, sequence, record);
    case Mode::Cbc:
        return open_cbc(keys, sequence, record);
    case Mode::Stream:
    case Mode::Null:
        return open_stream(keys, sequence, record);
    case Mode::Unknown:
        break;
    }
    return std::nullopt;
}

std::optional<Opened> CipherPool::open_aead(DirectionKeys& keys, std::uint64_t sequence,
                                            const Record& record) {
    const auto& bulk = bulk_of(*keys.suite);
    const bool modern = is_tls13(keys.version);
    const bool nonce_in_record = !modern && bulk.mode != Mode::ChaCha;
    const std::size_t overhead = bulk.tag_size + (nonce_in_record ? explicit_nonce_size : 0);
    if (record.body.size() < overhead) {
        return std::nullopt;
    }
    const auto size = record.body.size() - overhead;
    auto sealed = record.body;
    std::array<std::uint8_t, nonce_size> nonce{};
    if (nonce_in_record) {
        std::copy_n(keys.iv.begin(), 4, nonce.begin());
        std::copy_n(sealed.begin(), explicit_nonce_size, nonce.begin() + 4);
        sealed = sealed.subspan(explicit_nonce_size);
    } else {
        nonce = xor_nonce(keys, sequence);
    }
    std::array<std::uint8_t, 13> pseudo;
    auto additional = record.header;
    if (!modern) {
        pseudo = pseudo_header(sequence, record, size);
        additional = pseudo;
    } else if (!authenticates_header(keys.version)) {
        additional = {};
    }

    const auto tag = sealed.subspan(size, bulk.tag_size);
    sealed = sealed.first(size);
    const bool ok = bulk.mode == Mode::Gcm && is_aes(bulk) && Gcm::available()
                        ? gcm_for(keys).open(nonce.data(), additional, sealed, tag, scratch_.data())
                        : open_by_evp(keys, nonce.data(), additional, sealed, tag);
    if (!ok) {
        return std::nullopt;
    }
    if (nonce_in_record) {
        keys.nonce_offset = load_be64(record.body.data()) - sequence;
    }
    const auto plaintext = Bytes{scratch_}.first(size);
    return modern ? without_padding(plaintext) : std::optional{Opened{record.type, plaintext}};
}

// Puts what is in `sealed` into scratch_, any AEAD.
bool CipherPool::open_by_evp(DirectionKeys& keys, const std::uint8_t* nonce, Bytes additional,
                             Bytes sealed, Bytes tag) {
    auto* context = context_for(keys);
    if (context == nullptr) {
        return false;
    }
    const bool ccm = bulk_of(*keys.suite).mode == Mode::Ccm;
    int length = 0;
    const auto size = static_cast<int>(sealed.size());
    auto* read_only = const_cast<std::uint8_t*>(tag.data()); // as OpenSSL treats it
    const std::array parameters{
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, read_only, tag.size()),
        OSSL_PARAM_construct_end()};
    return EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce, parameters.data()) == 1 &&
           (!ccm || EVP_DecryptUpdate(context, nullptr, &length, nullptr, size) == 1) &&
           (additional.empty() || EVP_DecryptUpdate(context, nullptr, &length, additional.data(),
                                                    static_cast<int>(additional.size())) == 1) &&
           EVP_DecryptUpdate(context, scratch_.data(), &length, sealed.data(), size) == 1 &&
           (ccm || EVP_DecryptFinal_ex(context, scratch_.data() + length, &length) == 1);
}

bool CipherPool::mac_fits(const DirectionKeys& keys, std::uint64_t sequence, const Record& record,
                          Bytes data_a, Bytes data_b, Bytes mac) {
    std::array<std::uint8_t, 48> expected{};
    const auto pseudo = pseudo_header(sequence, record, data_a.size() + data_b.size());
    const auto key = Bytes{keys.secret}.first(size_of(keys.suite->mac));
    return hasher_.hmac(keys.suite->mac, key, {pseudo, data_a, data_b}, expected.data()) &&
           std::ranges::equal(Bytes{expected}.first(mac.size()), mac);
}

std::optional<Opened> CipherPool::open_cbc(DirectionKeys& keys, std::uint64_t sequence,
                                           const Record& record) {
    const std::size_t block = bulk_of(*keys.suite).block_size;
    const auto mac_size = size_of(keys.suite->mac);
    auto sealed = record.body;
    Bytes mac;
    if (keys.encrypt_then_mac) {
        if (sealed.size() < mac_size) {
            return std::nullopt;
        }
        mac = sealed.last(mac_size);
        sealed = sealed.first(sealed.size() - mac_size);
        if (!mac_fits(keys, sequence, record, sealed, {}, mac)) { // [RFC 7366 §3]
            return std::nullopt;
        }
    }
    const bool explicit_iv = keys.version >= version::tls11;
    auto iv = Bytes{keys.iv}.first(block);
    if (explicit_iv) {
        if (sealed.size() < block) {
            return std::nullopt;
        }
        iv = sealed.first(block);
        sealed = sealed.subspan(block);
    }
    if (sealed.empty() || sealed.size() % block != 0) {
        return std::nullopt;
    }
    if (!explicit_iv && keys.iv_lost && keys.encrypt_then_mac) {
        // Note: here the MAC does not cover the IV, so a wrong one would go unnoticed.
        std::ranges::copy(sealed.last(block), keys.iv.begin());
        keys.iv_lost = false;
        return Opened{.type = record.type, .plaintext = {}, .headless = true};
    }
    auto* context = context_for(keys);
    int length = 0;
    if (context == nullptr ||
        EVP_DecryptInit_ex2(context, nullptr, nullptr, iv.data(), nullptr) != 1 ||
        EVP_DecryptUpdate(context, scratch_.data(), &length, sealed.data(),
                          static_cast<int>(sealed.size())) != 1 ||
        static_cast<std::size_t>(length) != sealed.size()) {
        return std::nullopt;
    }
    auto plaintext = Bytes{scratch_}.first(sealed.size());
    const std::size_t padding = plaintext.back(); // and so many bytes before it, all the same
    const auto trailer = padding + 1 + (keys.encrypt_then_mac ? 0 : mac_size);
    if (plaintext.size() < trailer ||
        !std::ranges::all_of(plaintext.last(padding + 1),
                             [&](std::uint8_t byte) { return byte == padding; })) {
        return std::nullopt;
    }
    if (!keys.encrypt_then_mac) {
        mac = plaintext.subspan(plaintext.size() - trailer, mac_size);
        plaintext = plaintext.first(plaintext.size() - trailer);
        if (!mac_fits(keys, sequence, record, plaintext, {}, mac)) {
            return std::nullopt;
        }
    } else {
        plaintext = plaintext.first(plaintext.size() - trailer);
    }
    if (!explicit_iv) { // "the last ciphertext block from the previous record" [RFC 2246 §6.2.3.2]
        std::ranges::copy(sealed.last(block), keys.iv.begin());
        keys.iv_lost = false;
    }
    return Opened{record.type, plaintext};
}

std::optional<Opened> CipherPool::open_stream(DirectionKeys& keys, std::uint64_t sequence,
                                              const Record& record) {
    const auto mac_size = size_of(keys.suite->mac);
    if (record.body.size() < mac_size) {
        return std::nullopt;
    }
    auto plaintext = record.body;
    if (bulk_of(*keys.suite).mode == Mode::Stream) {
        if (!keys.stream) {
            keys.stream.reset(EVP_CIPHER_CTX_new());
            if (!keys.stream || EVP_DecryptInit_ex2(keys.stream.get(), cipher_of(keys.suite->bulk),
                                                    keys.key.data(), nullptr, nullptr) != 1) {
                return std::nullopt;
            }
        }
        int length = 0;
        if (EVP_DecryptUpdate(keys.stream.get(), scratch_.data(), &length, record.body.data(),
                              static_cast<int>(record.body.size())) != 1) {
            return std::nullopt;
        }
        plaintext = Bytes{scratch_}.first(record.body.size());
    }
    const auto mac = plaintext.last(mac_size);
    plaintext = plaintext.first(plaintext.size() - mac_size);
    if (!mac_fits(keys, sequence, record, plaintext, {}, mac)) {
        return std::nullopt;
    }
    return Opened{record.type, plaintext};
}

// --- which record is this?

std::optional<std::uint64_t> CipherPool::guess_sequence(const DirectionKeys& keys,
                                                        const Record& record) {
    const auto mode = bulk_of(*keys.suite).mode;
    if (is_tls13(keys.version) || (mode != Mode::Gcm && mode != Mode::Ccm) ||
        record.body.size() < explicit_nonce_size) {
        return std::nullopt;
    }
    return load_be64(record.body.data()) - keys.nonce_offset;
}

bool CipherPool::can_find_sequence(const DirectionKeys& keys) {
    const auto number = keys.suite->number;
    return is_tls13(keys.version) && (number == 0x1301 || number == 0x1302);
}

// Note: the tag of GCM is GHASH(header, ciphertext) XOR AES(key, nonce || 1) [NIST SP 800-38D
// §7.1]. GHASH depends on the key alone, so sealing the same ciphertext with a nonce of our own
// gives it; what then remains of the tag is a block that AES turns back into the nonce. The last
// four bytes tell whether the key fits; before them stands the sequence number under the IV.
std::optional<std::uint64_t> CipherPool::find_sequence(const DirectionKeys& keys,
                                                       const Record& record) {
    constexpr std::size_t block = 16;
    if (!can_find_sequence(keys) || record.body.size() < block ||
        record.body.size() > largest_record) {
        return std::nullopt;
    }
    const auto sealed = record.body.first(record.body.size() - block);
    const auto additional = authenticates_header(keys.version) ? record.header : Bytes{};
    const auto* tag = record.body.data() + sealed.size();
    if (!probe_gcm_) {
        probe_gcm_.reset(EVP_CIPHER_CTX_new());
        probe_block_.reset(EVP_CIPHER_CTX_new());
        probe_.resize(largest_record + 64);
    }
    auto* gcm = probe_gcm_.get();
    auto* aes = probe_block_.get();
    if (gcm == nullptr || aes == nullptr) {
        return std::nullopt;
    }
    const bool small = keys.suite->number == 0x1301;
    auto* cipher = cipher_of(keys.suite->bulk);
    std::array<std::uint8_t, block> first{}; // nonce of zeros, then the block number 1
    first[15] = 1;
    std::array<std::uint8_t, block> mask{};
    std::array<std::uint8_t, block> sum{};
    std::array<std::uint8_t, block> found{};
    int length = 0;
    const auto size = static_cast<int>(sealed.size());
    const auto* zero_nonce = first.data();
    // Opening without looking at the tag, then sealing again: the ciphertext is the same.
    bool ok = EVP_DecryptInit_ex2(gcm, cipher, keys.key.data(), zero_nonce, nullptr) == 1 &&
              EVP_DecryptUpdate(gcm, probe_.data(), &length, sealed.data(), size) == 1 &&
              EVP_EncryptInit_ex2(gcm, cipher, keys.key.data(), zero_nonce, nullptr) == 1 &&
              (additional.empty() || EVP_EncryptUpdate(gcm, nullptr, &length, additional.data(),
                                                       static_cast<int>(additional.size())) == 1) &&
              EVP_EncryptUpdate(gcm, probe_.data(), &length, probe_.data(), size) == 1 &&
              EVP_EncryptFinal_ex(gcm, probe_.data() + size, &length) == 1 &&
              EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_GET_TAG, block, sum.data()) == 1;
    const auto* ecb = small ? EVP_aes_128_ecb() : EVP_aes_256_ecb();
    ok = ok && EVP_EncryptInit_ex2(aes, ecb, keys.key.data(), nullptr, nullptr) == 1 &&
         EVP_CIPHER_CTX_set_padding(aes, 0) == 1 &&
         EVP_EncryptUpdate(aes, mask.data(), &length, first.data(), block) == 1;
    for (std::size_t i = 0; i < block; ++i) {
        sum[i] ^= static_cast<std::uint8_t>(mask[i] ^ tag[i]);
    }
    ok = ok && EVP_DecryptInit_ex2(aes, ecb, keys.key.data(), nullptr, nullptr) == 1 &&
         EVP_CIPHER_CTX_set_padding(aes, 0) == 1 &&
         EVP_DecryptUpdate(aes, found.data(), &length, sum.data(), block) == 1;
    if (!ok || load_be32(found.data() + nonce_size) != 1) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < nonce_size; ++i) {
        found[i] ^= keys.iv[i];
    }
    if (load_be32(found.data()) != 0) { // a sequence number has 64 bits, the nonce 96
        return std::nullopt;
    }
    return load_be64(found.data() + 4);
}

} // namespace cw::capture::tls
