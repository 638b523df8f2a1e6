// The floor under `read` of a TLS 1.3 capture: one pass over the file, each record opened by bare
// EVP, nothing else. It knows only what make_capture writes: Ethernet, IPv4, TCP in order and
// whole, AES-GCM or ChaCha20-Poly1305.
//
//   floor_records calls.pcap calls.keys
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"

namespace {

using cw::Bytes;
using cw::load_be16;
using cw::load_be32;

[[noreturn]] void stop(const char* why) {
    std::fprintf(stderr, "floor_records: %s\n", why);
    std::exit(1);
}

using Secret = std::vector<std::uint8_t>;
struct Secrets {
    std::array<Secret, 2> handshake; // client, server
    std::array<Secret, 2> traffic;
};
using KeyLog = std::unordered_map<std::string, Secrets>; // by client random, 32 raw octets

Secret from_hex(const std::string& text) {
    Secret octets;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        octets.push_back(
            static_cast<std::uint8_t>(std::strtoul(text.substr(i, 2).c_str(), nullptr, 16)));
    }
    return octets;
}

KeyLog read_key_log(const char* path) {
    KeyLog log;
    std::ifstream in{path};
    std::string label;
    std::string random;
    std::string secret;
    while (in >> label >> random >> secret) {
        const auto key = from_hex(random);
        auto& entry = log[{key.begin(), key.end()}];
        if (label == "CLIENT_HANDSHAKE_TRAFFIC_SECRET") {
            entry.handshake[0] = from_hex(secret);
        } else if (label == "SERVER_HANDSHAKE_TRAFFIC_SECRET") {
            entry.handshake[1] = from_hex(secret);
        } else if (label == "CLIENT_TRAFFIC_SECRET_0") {
            entry.traffic[0] = from_hex(secret);
        } else if (label == "SERVER_TRAFFIC_SECRET_0") {
            entry.traffic[1] = from_hex(secret);
        }
    }
    return log;
}

struct Suite {
    const EVP_CIPHER* cipher = nullptr;
    const EVP_MD* hash = nullptr;
};
Suite suite_of(std::uint16_t number) {
    switch (number) {
    case 0x1301:
        return {EVP_aes_128_gcm(), EVP_sha256()};
    case 0x1302:
        return {EVP_aes_256_gcm(), EVP_sha384()};
    case 0x1303:
        return {EVP_chacha20_poly1305(), EVP_sha256()};
    default:
        stop("a cipher suite that this program does not know");
    }
}

// HKDF-Expand-Label of one block without context [RFC 8446 §7.1].
Secret expand(const Suite& suite, const Secret& secret, const std::string& label, int size) {
    const auto name = "tls13 " + label;
    Secret info = {0, static_cast<std::uint8_t>(size), static_cast<std::uint8_t>(name.size())};
    info.insert(info.end(), name.begin(), name.end());
    info.insert(info.end(), {0, 1});
    Secret out(EVP_MAX_MD_SIZE);
    HMAC(suite.hash, secret.data(), static_cast<int>(secret.size()), info.data(), info.size(),
         out.data(), nullptr);
    out.resize(static_cast<std::size_t>(size));
    return out;
}

struct Connection {
    const Secrets* secrets = nullptr;
    Suite suite;
};

struct Totals {
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;
    std::uint64_t refused = 0;
};

class Direction {
  public:
    explicit Direction(std::shared_ptr<Connection> connection)
        : connection_(std::move(connection)) {}
    ~Direction() { EVP_CIPHER_CTX_free(context_); }
    Direction(const Direction&) = delete;
    Direction& operator=(const Direction&) = delete;

    [[nodiscard]] const std::shared_ptr<Connection>& connection() const { return connection_; }

    void segment(Bytes data, const KeyLog& log, Totals& totals) {
        if (!partial_.empty()) {
            partial_.insert(partial_.end(), data.begin(), data.end());
            const auto used = records(partial_, log, totals);
            partial_.erase(partial_.begin(), partial_.begin() + static_cast<std::ptrdiff_t>(used));
        } else if (const auto used = records(data, log, totals); used < data.size()) {
            partial_.assign(data.begin() + static_cast<std::ptrdiff_t>(used), data.end());
        }
    }

  private:
    // Opens the whole records at the beginning of `data`; returns how many octets those are.
    std::size_t records(Bytes data, const KeyLog& log, Totals& totals) {
        std::size_t at = 0;
        while (data.size() - at >= 5) {
            const std::size_t size = 5U + load_be16(data.data() + at + 3);
            if (data.size() - at < size) {
                break;
            }
            record(data.subspan(at, size), log, totals);
            at += size;
        }
        return at;
    }

    void record(Bytes record, const KeyLog& log, Totals& totals) {
        if (record[0] == 22) {
            hello(record.subspan(5), log);
        } else if (record[0] == 23 && connection_->secrets != nullptr) {
            open(record, totals);
        }
    }

    void hello(Bytes message, const KeyLog& log) {
        if (message.size() < 76) {
            stop("a hello is too short");
        }
        server_ = message[0] == 2;
        if (!server_) {
            const auto found = log.find(std::string{cw::as_text(message.subspan(6, 32))});
            connection_->secrets = found == log.end() ? nullptr : &found->second;
        } else {
            connection_->suite = suite_of(load_be16(message.data() + 39 + message[38]));
        }
    }

    void use(const Secret& secret) {
        const auto& suite = connection_->suite;
        const auto key = expand(suite, secret, "key", EVP_CIPHER_get_key_length(suite.cipher));
        const auto iv = expand(suite, secret, "iv", 12);
        std::memcpy(iv_.data(), iv.data(), iv_.size());
        if (context_ == nullptr) {
            context_ = EVP_CIPHER_CTX_new();
        }
        EVP_DecryptInit_ex(context_, suite.cipher, nullptr, key.data(), nullptr);
        sequence_ = 0;
    }

    void open(Bytes record, Totals& totals) {
        if (context_ == nullptr) {
            use(connection_->secrets->handshake[server_ ? 1 : 0]);
        }
        auto nonce = iv_;
        for (std::size_t i = 0; i < 8; ++i) {
            nonce[4 + i] ^= static_cast<std::uint8_t>(sequence_ >> (56 - 8 * i));
        }
        ++sequence_;
        const int size = static_cast<int>(record.size()) - 5 - 16;
        int written = 0;
        EVP_DecryptInit_ex(context_, nullptr, nullptr, nullptr, nonce.data());
        EVP_DecryptUpdate(context_, nullptr, &written, record.data(), 5);
        EVP_DecryptUpdate(context_, plain_.data(), &written, record.data() + 5, size);
        EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, 16,
                            const_cast<std::uint8_t*>(record.data() + record.size() - 16));
        if (EVP_DecryptFinal_ex(context_, plain_.data(), &written) != 1) {
            ++totals.refused;
            return;
        }
        ++totals.records;
        totals.bytes += static_cast<std::uint64_t>(size) - 1;
        if (!finished_ && plain_[static_cast<std::size_t>(size) - 1] == 22) {
            handshake({plain_.data(), static_cast<std::size_t>(size) - 1});
        }
    }

    // Behind Finished come the traffic keys.
    void handshake(Bytes data) {
        messages_.insert(messages_.end(), data.begin(), data.end());
        std::size_t at = 0;
        while (messages_.size() - at >= 4) {
            const std::size_t size = 4U + (load_be32(messages_.data() + at) & 0xff'ffff);
            if (messages_.size() - at < size) {
                break;
            }
            if (messages_[at] == 20) {
                finished_ = true;
                use(connection_->secrets->traffic[server_ ? 1 : 0]);
                return;
            }
            at += size;
        }
        messages_.erase(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(at));
    }

    std::shared_ptr<Connection> connection_;
    EVP_CIPHER_CTX* context_ = nullptr;
    std::array<std::uint8_t, 12> iv_{};
    std::uint64_t sequence_ = 0;
    bool server_ = false;
    bool finished_ = false;
    std::vector<std::uint8_t> partial_;
    std::vector<std::uint8_t> messages_;
    std::array<std::uint8_t, (1 << 14) + 256> plain_{};
};

struct Flow { // addresses and ports as they stand in the packet
    std::uint64_t addresses = 0;
    std::uint32_t ports = 0;
    bool operator==(const Flow&) const = default;
};
struct FlowHash {
    std::size_t operator()(const Flow& f) const {
        return (f.addresses ^ f.ports * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL;
    }
};

Totals read(Bytes file, const KeyLog& log) {
    std::unordered_map<Flow, std::unique_ptr<Direction>, FlowHash> flows;
    Totals totals;
    for (std::size_t at = 24; at + 16 + 54 <= file.size();) {
        std::uint32_t size = 0;
        std::memcpy(&size, file.data() + at + 8, 4);
        const auto* ip = file.data() + at + 16 + 14;
        const auto* tcp = ip + 20;
        const std::size_t headers = 20U + (tcp[12] >> 4) * 4U;
        const std::size_t total = load_be16(ip + 2);
        at += 16 + size;
        if (at > file.size() || ip[9] != 6 || total <= headers) {
            continue;
        }
        const Flow flow{static_cast<std::uint64_t>(load_be32(ip + 12)) << 32 | load_be32(ip + 16),
                        load_be32(tcp)};
        auto& direction = flows[flow];
        if (!direction) {
            const Flow back{flow.addresses << 32 | flow.addresses >> 32,
                            flow.ports << 16 | flow.ports >> 16};
            const auto other = flows.find(back);
            direction = std::make_unique<Direction>(other == flows.end() || !other->second
                                                        ? std::make_shared<Connection>()
                                                        : other->second->connection());
        }
        direction->segment({ip + headers, total - headers}, log, totals);
    }
    return totals;
}

} // namespace

int main(int count, char** words) {
    if (count != 3) {
        stop("floor_records FILE.pcap KEYS");
    }
    const int file = ::open(words[1], O_RDONLY);
    struct stat status{};
    if (file < 0 || fstat(file, &status) != 0 || status.st_size < 24) {
        stop("cannot read the capture");
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    auto* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) {
        stop("cannot map the capture");
    }
    madvise(data, size, MADV_SEQUENTIAL);
    const auto totals =
        read({static_cast<const std::uint8_t*>(data), size}, read_key_log(words[2]));
    std::printf("records %llu bytes %llu refused %llu\n",
                static_cast<unsigned long long>(totals.records),
                static_cast<unsigned long long>(totals.bytes),
                static_cast<unsigned long long>(totals.refused));
    return totals.refused == 0 && totals.records > 0 ? 0 : 1;
}
