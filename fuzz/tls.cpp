// TLS connections. Random bytes cannot be authentic records, so the input is a script: raw bytes,
// records sealed here with keys that the reader has, lost bytes. What comes out must not depend on
// how the bytes were cut, and cannot be more than what was sealed.
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include <openssl/evp.h>

#include "capture/tls/connection.hpp"
#include "fuzz.hpp"

namespace {

using namespace cw;
using namespace cw::capture;
using namespace cw::capture::tls;

using Buffer = std::vector<std::uint8_t>;

void append(Buffer& to, Bytes bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

std::string hex(Bytes bytes) {
    std::string out;
    for (const auto byte : bytes) {
        out += "0123456789abcdef"[byte >> 4];
        out += "0123456789abcdef"[byte & 15];
    }
    return out;
}

constexpr std::array<std::uint8_t, 32> client_random{0x42, 0x17};
constexpr std::array<std::uint8_t, 32> server_random{0x43, 0x18};

// Secrets of `size` bytes, all the same byte: kind + 1.
Buffer secret(std::size_t kind, std::size_t size) {
    return Buffer(size, static_cast<std::uint8_t>(kind + 1));
}

struct Setting {
    std::uint16_t version;
    std::uint16_t suite;
};
constexpr std::array<Setting, 5> settings{{{version::tls13, 0x1301},
                                           {version::tls13, 0x1303},
                                           {version::tls12, 0xc02f},
                                           {version::tls12, 0xc013},
                                           {version::tls10, 0x002f}}};

void fill_ring(crypto::KeyRing& ring, const Suite& suite) {
    const auto size = size_of(suite.prf);
    std::string text;
    std::size_t kind = 0;
    for (const char* label : {"CLIENT_EARLY_TRAFFIC_SECRET", "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                              "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0",
                              "SERVER_TRAFFIC_SECRET_0"}) {
        text += std::string{label} + " " + hex(client_random) + " " + hex(secret(kind++, size));
        text += "\n";
    }
    text += "CLIENT_RANDOM " + hex(client_random) + " " + hex(secret(9, 48)) + "\n";
    ring.add_text(text, "keys");
}

// Seals as a sender does, with OpenSSL.
class Sealer {
  public:
    explicit Sealer(Setting setting) : setting_(setting), suite_(*find_suite(setting.suite)) {
        const auto& bulk = bulk_of(suite_);
        if (is_tls13(setting.version)) {
            return;
        }
        const auto mac = size_of(suite_.mac);
        const std::size_t iv = bulk.mode == Mode::Gcm ? 4 : 0;
        Buffer block(2 * (mac + bulk.key_size + 16));
        (void)hasher_.prf(setting.version, suite_.prf, secret(9, 48), "key expansion",
                          server_random, client_random, block);
        Reader reader{block};
        for (auto* part : {&mac_, &key_, &iv_}) {
            for (auto& side : *part) {
                const auto size = part == &mac_ ? mac : part == &key_ ? bulk.key_size : iv;
                const auto bytes = reader.take(
                    part == &iv_ && setting.version == version::tls10 ? std::size_t{16} : size);
                side.assign(bytes.begin(), bytes.end());
            }
        }
    }

    Buffer seal(Side from, std::size_t epoch, std::uint64_t sequence, std::uint8_t type,
                Bytes text) {
        return is_tls13(setting_.version)          ? seal_modern(from, epoch, sequence, type, text)
               : bulk_of(suite_).mode == Mode::Gcm ? seal_gcm(from, sequence, type, text)
                                                   : seal_cbc(from, sequence, type, text);
    }

  private:
    Buffer header(std::uint8_t type, std::size_t size) const {
        const auto v = std::min(setting_.version, version::tls12);
        return {type, static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v),
                static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)};
    }
    Buffer pseudo(std::uint64_t sequence, std::uint8_t type, std::size_t size) const {
        Buffer out;
        for (int shift = 56; shift >= 0; shift -= 8) {
            out.push_back(static_cast<std::uint8_t>(sequence >> shift));
        }
        append(out, header(type, size));
        return out;
    }
    Buffer aead(Bytes key, Bytes nonce, Bytes additional, Bytes text) const {
        Buffer out(text.size() + 16);
        std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> context{EVP_CIPHER_CTX_new()};
        const auto* cipher =
            bulk_of(suite_).mode == Mode::Gcm ? EVP_aes_128_gcm() : EVP_chacha20_poly1305();
        int length = 0;
        EVP_EncryptInit_ex2(context.get(), cipher, key.data(), nonce.data(), nullptr);
        EVP_EncryptUpdate(context.get(), nullptr, &length, additional.data(),
                          static_cast<int>(additional.size()));
        EVP_EncryptUpdate(context.get(), out.data(), &length, text.data(),
                          static_cast<int>(text.size()));
        EVP_EncryptFinal_ex(context.get(), out.data() + text.size(), &length);
        EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, 16, out.data() + text.size());
        return out;
    }
    Buffer seal_modern(Side from, std::size_t epoch, std::uint64_t sequence, std::uint8_t type,
                       Bytes text) {
        // epoch 0: early, 1: handshake, 2: application
        const auto kind = epoch == 0 ? 0 : 1 + 2 * (epoch - 1) + index_of(from);
        const auto traffic = secret(kind, size_of(suite_.prf));
        Buffer key(bulk_of(suite_).key_size);
        std::array<std::uint8_t, 12> nonce{};
        (void)hasher_.expand_label(suite_.prf, traffic, "key", key);
        (void)hasher_.expand_label(suite_.prf, traffic, "iv", nonce);
        for (std::size_t i = 0; i < 8; ++i) {
            nonce[11 - i] ^= static_cast<std::uint8_t>(sequence >> (8 * i));
        }
        Buffer inner(text.begin(), text.end());
        inner.push_back(type);
        auto out = header(content::application_data, inner.size() + 16);
        const auto body = aead(key, nonce, out, inner);
        append(out, body);
        return out;
    }
    Buffer seal_gcm(Side from, std::uint64_t sequence, std::uint8_t type, Bytes text) {
        Buffer nonce = iv_[index_of(from)];
        append(nonce, Bytes{pseudo(sequence, 0, 0)}.first(8));
        auto out = header(type, 8 + text.size() + 16);
        append(out, Bytes{nonce}.subspan(4));
        append(out, aead(key_[index_of(from)], nonce, pseudo(sequence, type, text.size()), text));
        return out;
    }
    Buffer seal_cbc(Side from, std::uint64_t sequence, std::uint8_t type, Bytes text) {
        auto& chain = iv_[index_of(from)];
        Buffer plain(text.begin(), text.end());
        Buffer mac(size_of(suite_.mac));
        hasher_.hmac(suite_.mac, mac_[index_of(from)], {pseudo(sequence, type, text.size()), text},
                     mac.data());
        append(plain, mac);
        const auto padding = 15 - plain.size() % 16;
        plain.insert(plain.end(), padding + 1, static_cast<std::uint8_t>(padding));
        const bool chained = setting_.version == version::tls10;
        if (!chained) {
            chain.assign(16, 0x5a);
        }
        Buffer sealed(plain.size());
        std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> context{EVP_CIPHER_CTX_new()};
        int length = 0;
        EVP_EncryptInit_ex2(context.get(), EVP_aes_128_cbc(), key_[index_of(from)].data(),
                            chain.data(), nullptr);
        EVP_CIPHER_CTX_set_padding(context.get(), 0);
        EVP_EncryptUpdate(context.get(), sealed.data(), &length, plain.data(),
                          static_cast<int>(plain.size()));
        auto out = header(type, sealed.size() + (chained ? 0 : 16));
        if (!chained) {
            append(out, chain);
        }
        append(out, sealed);
        chain.assign(sealed.end() - 16, sealed.end());
        return out;
    }

    Setting setting_;
    const Suite& suite_;
    Hasher hasher_;
    std::array<Buffer, 2> mac_;
    std::array<Buffer, 2> key_;
    std::array<Buffer, 2> iv_;
};

Buffer hello(Side from, Setting setting, bool early_data) {
    const auto v = std::min(setting.version, version::tls12);
    Buffer body{static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)};
    append(body, from == Side::Client ? Bytes{client_random} : Bytes{server_random});
    body.push_back(0); // session id
    const auto high = static_cast<std::uint8_t>(setting.suite >> 8);
    const auto low = static_cast<std::uint8_t>(setting.suite);
    Buffer extensions;
    if (from == Side::Client) {
        append(body, Buffer{0, 2, high, low, 1, 0});
        append(extensions, Buffer{0, 43, 0, 3, 2, 3, 4});
        if (early_data) {
            append(extensions, Buffer{0, 42, 0, 0});
        }
    } else {
        append(body, Buffer{high, low, 0});
        if (is_tls13(setting.version)) {
            append(extensions, Buffer{0, 43, 0, 2, 3, 4});
        }
    }
    append(body, Buffer{0, static_cast<std::uint8_t>(extensions.size())});
    append(body, extensions);
    Buffer out{content::handshake,
               3,
               1,
               0,
               static_cast<std::uint8_t>(body.size() + 4),
               static_cast<std::uint8_t>(from == Side::Client ? 1 : 2),
               0,
               0,
               static_cast<std::uint8_t>(body.size())};
    out[2] = static_cast<std::uint8_t>(v);
    append(out, body);
    return out;
}

struct Ear : Sink {
    void on_plaintext(Side from, Bytes data, const Datagram&) override {
        require(!data.empty());
        heard[index_of(from)] += as_text(data);
    }
    void on_event(const Event& event, const Datagram&) override {
        if (const auto* chain = std::get_if<CertificateChain>(&event)) {
            require(chain->certificates != nullptr);
        }
        ++events;
    }
    void on_plaintext_gap(Side, std::uint64_t, const Datagram&) override { ++gaps; }
    std::array<std::string, 2> heard;
    std::size_t events = 0;
    std::size_t gaps = 0;
};

struct Step {
    Side from;
    Buffer bytes;
    std::uint64_t missing; // a gap, when there are no bytes
};

// What a connection made of the steps, cut into chunks.
std::string play(const crypto::KeyRing& ring, const std::vector<Step>& steps, std::size_t chunk) {
    SessionCache shared;
    Connection connection{ring, shared};
    Ear ear;
    Datagram by;
    for (const auto& step : steps) {
        ++by.frame;
        if (step.bytes.empty()) {
            connection.on_gap(step.from, step.missing, by, ear);
        }
        for (std::size_t at = 0; at < step.bytes.size();) {
            const auto size = std::min(chunk, step.bytes.size() - at);
            // A block of its own, so that a byte read too far is found.
            const Buffer copy(step.bytes.begin() + static_cast<std::ptrdiff_t>(at),
                              step.bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
            connection.on_bytes(step.from, copy, by, ear);
            at += size;
        }
    }
    connection.finish(ear);
    flow::Connection described;
    connection.describe(described);
    require(described.decrypted == described.reason.empty() || described.records == 0 ||
            connection.summary().unopened == 0);
    return ear.heard[0] + "|" + ear.heard[1] + "|" + described.version + described.cipher +
           described.sni + std::to_string(described.alerts.size());
}

} // namespace

void fuzz(std::span<const std::uint8_t> input) {
    Reader in{input};
    const auto mode = in.u8();
    if (mode % 8 == 7) { // key logs and PEM
        crypto::KeyRing ring;
        ring.add_text(as_text(in.rest()), "text");
        ring.add_pem(as_text(in.rest()), "pem");
        require(ring.problems().size() <= 100);
        return;
    }
    const auto setting = settings.at(mode % settings.size());
    crypto::KeyRing ring;
    fill_ring(ring, *find_suite(setting.suite));
    Sealer sealer{setting};
    std::vector<Step> steps;
    if ((mode & 0x20) == 0) {
        steps.push_back({Side::Client, hello(Side::Client, setting, (mode & 0x40) != 0), 0});
    }
    if ((mode & 0x80) == 0) {
        steps.push_back({Side::Server, hello(Side::Server, setting, false), 0});
    }
    std::array<std::uint64_t, 2> sequence{};
    std::size_t sealed = 0;
    while (in.left() >= 3 && steps.size() < 200) {
        const auto op = in.u8();
        const auto from = (op & 1) != 0 ? Side::Server : Side::Client;
        auto& number = sequence[index_of(from)];
        const auto detail = in.u8();
        const auto data = in.take(std::min<std::size_t>(in.u8(), in.left()));
        switch (op >> 1 & 7) {
        case 0:
            steps.push_back({from, Buffer(data.begin(), data.end()), 0});
            if (data.empty()) {
                steps.back().missing = detail;
            }
            break;
        case 1:
            steps.push_back({from, {}, detail});
            break;
        case 2: { // ChangeCipherSpec in the clear
            const auto low = static_cast<std::uint8_t>(std::min(setting.version, version::tls12));
            steps.push_back({from, {20, 3, low, 0, 1, 1}, 0});
            number = 0;
            break;
        }
        case 3: { // plain handshake bytes
            Buffer record{22, 3,
                          static_cast<std::uint8_t>(std::min(setting.version, version::tls12)), 0,
                          static_cast<std::uint8_t>(data.size())};
            append(record, data);
            steps.push_back({from, record, 0});
            break;
        }
        case 4:
            number = detail; // an epoch begins, or numbers are skipped
            break;
        default: {
            constexpr std::array<std::uint8_t, 8> types{23, 23, 23, 22, 22, 21, 20, 24};
            sealed += data.size();
            steps.push_back(
                {from, sealer.seal(from, detail % 3, number++, types[detail >> 4 & 7], data), 0});
            break;
        }
        }
    }
    const auto whole = play(ring, steps, SIZE_MAX);
    require(whole.size() <= sealed + 2 + 1024 + 100);
    require(play(ring, steps, 1) == whole);
    require(play(ring, steps, 1 + mode) == whole);
}
