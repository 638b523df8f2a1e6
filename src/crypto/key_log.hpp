// The secrets that a person gives to read encrypted traffic: NSS key logs (as SSLKEYLOGFILE writes
// them, and as pcapng carries them) and RSA private keys in PEM. Lookup is by client random.
//
// 200,000 connections must fit: an entry costs its random, its secrets and some 12 bytes. Secrets
// are wiped when the ring goes, and nothing here prints them. Adding is for one thread; after that
// any number of threads may look up.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <openssl/evp.h>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "crypto/openssl.hpp"

namespace cw::crypto {

// What a line of a key log tells, after its label.
enum class Secret : std::uint8_t {
    Master,          // CLIENT_RANDOM: the master secret, 48 bytes
    PreMaster,       // PMS_CLIENT_RANDOM: the premaster secret
    ClientEarly,     // CLIENT_EARLY_TRAFFIC_SECRET
    ClientHandshake, // CLIENT_HANDSHAKE_TRAFFIC_SECRET
    ServerHandshake, // SERVER_HANDSHAKE_TRAFFIC_SECRET
    ClientTraffic,   // CLIENT_TRAFFIC_SECRET_0
    ServerTraffic,   // SERVER_TRAFFIC_SECRET_0
    Exporter,        // EXPORTER_SECRET
    EarlyExporter,   // EARLY_EXPORTER_SECRET
};

// What a comment line of `callwright keys` says about a connection (docs/formats/key-log.md). It is
// a hint: whether a key fits is shown by the records alone.
struct ConnectionNote {
    std::array<std::uint8_t, 32> client_random{};
    std::array<std::uint8_t, 32> server_random{}; // all zero: not said
    Endpoint client;
    Endpoint server;
    std::uint16_t version = 0; // as records have it; 0: not said
    std::uint16_t suite = 0;   // 0: not said
    std::uint32_t earlier = 0; // of the same two ends, plus 1
};

class KeyRing {
  public:
    static constexpr std::uint32_t none = 0xffff'ffff;

    KeyRing();
    ~KeyRing();
    KeyRing(const KeyRing&) = delete;
    KeyRing& operator=(const KeyRing&) = delete;

    // A key log or a PEM file, recognised by its bytes, or a directory: then all files in it, not
    // those of directories in it. An error when `path` cannot be read (NotFound, CannotRead);
    // what is wrong inside is told by problems().
    Result<void> add_file(const std::string& path);
    // Lines of a key log. Of several lines that tell the same, the latest counts. `name` is what
    // problems() calls the text.
    void add_text(std::string_view text, std::string_view name);
    // All private keys and certificates of a PEM text; what else is in it is passed over.
    void add_pem(std::string_view text, std::string_view name);

    // From now on, when there are more entries than this (64 at least), the oldest are forgotten:
    // for whoever reads for weeks. Without it all stay.
    void keep_latest(std::uint32_t entries);
    // The entry for a client random of 32 bytes, or `none`. Entries are numbered from 0; one that
    // was forgotten has no secrets, and its number is not used again.
    [[nodiscard]] std::uint32_t find(Bytes client_random) const;
    // Empty when the entry has no such secret. Valid while the ring lives and nothing is added.
    [[nodiscard]] Bytes secret(std::uint32_t entry, Secret kind) const;
    [[nodiscard]] Bytes client_random(std::uint32_t entry) const; // 32 bytes
    // Appends all that the entry tells, as lines of a key log.
    void append_lines(std::string& out, std::uint32_t entry) const;
    // Entries are those from first_entry() to entries() - 1.
    [[nodiscard]] std::uint32_t first_entry() const { return forgotten_; }
    [[nodiscard]] std::uint32_t entries() const {
        return forgotten_ + static_cast<std::uint32_t>(entries_.size());
    }
    // The connections between these two ends, whichever is the client, the latest first, at most
    // `most`. Valid while nothing is added.
    [[nodiscard]] std::vector<const ConnectionNote*> notes_of(const Endpoint& a, const Endpoint& b,
                                                              std::size_t most) const;
    // From lines "RSA <first 8 bytes of the encrypted premaster> <premaster>"; else empty.
    [[nodiscard]] Bytes premaster_of(Bytes encrypted) const;
    // From lines "RSA Session-ID:<id> Master-Key:<master>"; else empty.
    [[nodiscard]] Bytes master_of_session(Bytes session_id) const;
    [[nodiscard]] bool has_rsa_lines() const { return !by_text_.empty(); }
    [[nodiscard]] bool has_premasters() const { return premasters_; }

    // The number of RSA private keys.
    [[nodiscard]] std::size_t private_keys() const { return keys_.size(); }
    // True when one of the keys belongs to this public key.
    [[nodiscard]] bool has_key_for(const EVP_PKEY* public_key) const;
    // Opens the premaster secret of an RSA key exchange [RFC 5246 §7.4.7.1] with the key that
    // belongs to `public_key`, or, when that is null, with the first that fits (of at most 16).
    [[nodiscard]] bool open_premaster(Bytes encrypted, const EVP_PKEY* public_key,
                                      std::span<std::uint8_t, 48> premaster) const;

    // For bodies that are signed or encrypted (smime): keys of every kind, and certificates, at
    // most 1000 of each.
    [[nodiscard]] std::span<const KeyPtr> all_keys() const { return all_keys_; }
    [[nodiscard]] std::span<const CertificatePtr> certificates() const { return certificates_; }

    // Grows whenever something was added: what was not found before may be there now.
    [[nodiscard]] std::uint32_t generation() const { return generation_; }
    [[nodiscard]] bool empty() const {
        return entries_.empty() && by_text_.empty() && keys_.empty();
    }
    // "tls.keys: 3 lines not understood, the first at line 17: the secret is not hexadecimal".
    [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

  private:
    struct Entry {
        std::array<std::uint8_t, 32> random;
        std::uint32_t first; // position of its first secret
    };
    struct Wipe {
        void operator()(std::uint8_t* chunk) const;
    };
    struct FreeKey {
        void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    };
    class Lines;

    const char* add_line(std::string_view line);
    void add_comment(std::string_view line);
    const char* add_rsa_line(std::string_view rest);
    void put(Bytes client_random, Secret kind, Bytes secret);
    std::uint32_t store(Secret kind, Bytes secret, std::uint32_t next);
    [[nodiscard]] std::uint8_t* at(std::uint32_t position) const;
    [[nodiscard]] std::size_t slot_of(Bytes client_random) const;
    void fill_table(std::size_t slots);
    void forget_oldest();
    [[nodiscard]] bool knows(std::uint32_t entry) const {
        return entry >= forgotten_ && entry - forgotten_ < entries_.size();
    }
    void add_der_key(std::string_view type, Bytes der, std::string_view name);
    Result<void> add_directory(const std::string& path);
    void problem(std::string_view name, std::string_view what);

    std::uint64_t seed_ = 0; // of the hash: randoms come from outside
    std::uint32_t most_entries_ = none;
    std::uint32_t forgotten_ = 0; // entries that were there before these
    std::deque<Entry> entries_;
    std::vector<std::uint32_t> table_; // entry + 1, open addressing, a power of two
    std::uint16_t chunks_gone_ = 0;    // before these, as far as 16 bits tell
    std::deque<std::unique_ptr<std::uint8_t[], Wipe>> chunks_;
    std::uint32_t used_ = 0; // of the last chunk
    std::deque<ConnectionNote> notes_;
    std::unordered_map<std::uint64_t, std::uint32_t> notes_by_ends_; // hash of both: latest, plus 1
    std::map<std::string, std::array<std::uint8_t, 48>> by_text_;    // of the RSA lines
    std::vector<std::unique_ptr<EVP_PKEY, FreeKey>> keys_;
    std::vector<KeyPtr> all_keys_;
    std::vector<CertificatePtr> certificates_;
    std::vector<std::string> problems_;
    std::uint32_t generation_ = 0;
    bool premasters_ = false;
};

// Appends the comment line that `note` was read from (docs/formats/key-log.md).
void append_note(std::string& out, const ConnectionNote& note);

} // namespace cw::crypto
