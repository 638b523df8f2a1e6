#include "crypto/key_log.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <utility>

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/text.hpp"

namespace cw::crypto {

namespace {

// Secrets lie in chunks, each behind a small header: next (4 bytes), kind, length.
constexpr std::size_t most_keys = 1000; // private keys, and certificates
constexpr std::size_t chunk_size = 65536;
constexpr std::size_t header_size = 6;
constexpr std::size_t largest_secret = 255; // TLS itself has 48; a premaster secret is longer
constexpr std::size_t largest_chunks = 65536;
constexpr std::size_t largest_line = 4096;
constexpr std::size_t largest_pem = std::size_t{4} * 1024 * 1024;
constexpr std::size_t largest_problems = 100;
constexpr std::size_t largest_notes = 1'000'000;
constexpr std::size_t largest_tries = 16; // private keys tried blindly; each costs about 1 ms

struct Label {
    std::string_view text;
    Secret kind;
};
constexpr auto labels = std::to_array<Label>({
    {"CLIENT_RANDOM", Secret::Master},
    {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", Secret::ClientHandshake},
    {"SERVER_HANDSHAKE_TRAFFIC_SECRET", Secret::ServerHandshake},
    {"CLIENT_TRAFFIC_SECRET_0", Secret::ClientTraffic},
    {"SERVER_TRAFFIC_SECRET_0", Secret::ServerTraffic},
    {"EXPORTER_SECRET", Secret::Exporter},
    {"CLIENT_EARLY_TRAFFIC_SECRET", Secret::ClientEarly},
    {"EARLY_EXPORTER_SECRET", Secret::EarlyExporter},
    {"EARLY_EXPORTER_MASTER_SECRET", Secret::EarlyExporter},
    {"PMS_CLIENT_RANDOM", Secret::PreMaster},
});

constexpr auto hex_values = [] {
    std::array<std::uint8_t, 256> table{};
    table.fill(0xff);
    for (std::uint8_t i = 0; i < 10; ++i) {
        table['0' + i] = i;
    }
    for (std::uint8_t i = 0; i < 6; ++i) {
        table['a' + i] = table['A' + i] = static_cast<std::uint8_t>(10 + i);
    }
    return table;
}();

constexpr const char* not_keys = "neither a key log nor a private key in PEM";

// Fills `out` from the front; the number of bytes, or nothing when `text` is not whole bytes in
// hexadecimal or does not fit.
std::optional<std::size_t> from_hex(std::string_view text, std::span<std::uint8_t> out) {
    if (text.size() % 2 != 0 || text.size() / 2 > out.size()) {
        return std::nullopt;
    }
    unsigned wrong = 0;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const unsigned high = hex_values[static_cast<std::uint8_t>(text[i])];
        const unsigned low = hex_values[static_cast<std::uint8_t>(text[i + 1])];
        wrong |= high | low;
        out[i / 2] = static_cast<std::uint8_t>(high << 4 | (low & 15));
    }
    if ((wrong & 0xf0) != 0) {
        return std::nullopt;
    }
    return text.size() / 2;
}

bool is_hex(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return hex_values[static_cast<std::uint8_t>(c)] != 0xff;
    });
}

void append_hex(std::string& out, Bytes bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    for (const auto byte : bytes) {
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
}

std::string_view take_word(std::string_view& text) {
    std::size_t n = 0;
    while (n < text.size() && !is_blank(text[n])) {
        ++n;
    }
    const auto word = text.substr(0, n);
    text = trim(text.substr(n));
    return word;
}

// Not a key log whose writer lost power: behind its lines the file system left zeros.
bool is_binary(std::string_view head) {
    const auto zero = head.substr(0, 4096).find('\0');
    return zero != std::string_view::npos && !head.substr(0, zero).contains("CLIENT_");
}

std::string file_name(const std::string& path) {
    return std::filesystem::path{path}.filename().string();
}

} // namespace

// Cuts text that comes in blocks into lines, and counts those that are broken.
class KeyRing::Lines {
  public:
    Lines(KeyRing& ring, std::string_view name) : ring_(ring), name_(name) {}
    Lines(const Lines&) = delete;
    Lines& operator=(const Lines&) = delete;
    ~Lines() { OPENSSL_cleanse(rest_.data(), rest_.size()); }

    void add(std::string_view block) {
        while (!block.empty()) {
            const auto end = block.find('\n');
            const auto part = block.substr(0, end);
            if (end == std::string_view::npos || !rest_.empty()) {
                const auto room = largest_line + 1 - std::min(largest_line + 1, rest_.size());
                rest_.append(part.substr(0, room));
            }
            if (end == std::string_view::npos) {
                return;
            }
            line(rest_.empty() ? part : std::string_view{rest_});
            rest_.clear();
            block.remove_prefix(end + 1);
        }
    }

    // Tells the ring what was wrong, when the text is complete. False when nothing in it was right,
    // so that it is no key log.
    [[nodiscard]] bool finish() {
        if (!rest_.empty()) {
            line(rest_);
            rest_.clear();
        }
        if (broken_ != 0 && good_ == 0) {
            return false;
        }
        if (broken_ != 0) {
            ring_.problem(name_,
                          fmt::format("{} not understood, {} line {}: {}",
                                      broken_ == 1 ? "one line" : fmt::format("{} lines", broken_),
                                      broken_ == 1 ? "at" : "the first at", first_broken_, why_));
        }
        return true;
    }

  private:
    void line(std::string_view text) {
        ++number_;
        if (number_ == 1 && text.starts_with("\xef\xbb\xbf")) { // byte order mark
            text.remove_prefix(3);
        }
        text = trim(text);
        if (text.empty()) {
            return;
        }
        if (text.front() == '#') {
            ring_.add_comment(text);
            return;
        }
        const char* why =
            text.size() > largest_line ? "the line is too long" : ring_.add_line(text);
        if (why == nullptr) {
            ++good_;
            return;
        }
        if (broken_++ == 0) {
            first_broken_ = number_;
            why_ = why;
        }
    }

    KeyRing& ring_;
    std::string name_;
    std::string rest_; // a line whose end is not yet here
    std::uint64_t number_ = 0;
    std::uint64_t good_ = 0;
    std::uint64_t broken_ = 0;
    std::uint64_t first_broken_ = 0;
    const char* why_ = "";
};

void KeyRing::Wipe::operator()(std::uint8_t* chunk) const {
    OPENSSL_cleanse(chunk, chunk_size);
    delete[] chunk;
}

// Note: the kernel's randomness; OpenSSL's generator would have to be set up for it, which takes
// longer than reading a small capture.
KeyRing::KeyRing() : seed_(std::uint64_t{std::random_device{}()} << 32 | std::random_device{}()) {}

KeyRing::~KeyRing() {
    for (auto& [key, secret] : by_text_) {
        OPENSSL_cleanse(secret.data(), secret.size());
    }
}

void KeyRing::problem(std::string_view name, std::string_view what) {
    if (problems_.size() < largest_problems) {
        problems_.push_back(fmt::format("{}: {}", name, what));
    }
}

// --- the table

std::uint8_t* KeyRing::at(std::uint32_t position) const {
    const auto chunk = static_cast<std::uint16_t>((position >> 16) - chunks_gone_);
    return chunks_[chunk].get() + (position & 0xffff);
}

__extension__ using Wide = unsigned __int128;

std::size_t KeyRing::slot_of(Bytes client_random) const {
    std::uint64_t hash = seed_;
    for (std::size_t i = 0; i < 32; i += 8) {
        const auto product =
            static_cast<Wide>(hash ^ load_be64(client_random.data() + i)) * 0x9e3779b97f4a7c15ULL;
        hash =
            seed_ ^ static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    }
    const auto mask = table_.size() - 1;
    for (auto slot = hash & mask;; slot = (slot + 1) & mask) {
        if (table_[slot] == 0 || std::memcmp(entries_[table_[slot] - 1 - forgotten_].random.data(),
                                             client_random.data(), 32) == 0) {
            return slot;
        }
    }
}

void KeyRing::fill_table(std::size_t slots) {
    table_.assign(slots, 0);
    for (std::uint32_t i = 0; i < entries_.size(); ++i) {
        table_[slot_of(entries_[i].random)] = forgotten_ + i + 1;
    }
}

void KeyRing::keep_latest(std::uint32_t entries) {
    most_entries_ = std::max<std::uint32_t>(64, entries);
}

// An eighth at once, so that the table is seldom made anew.
void KeyRing::forget_oldest() {
    const auto some = std::min<std::size_t>(entries_.size(), most_entries_ / 8);
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(some));
    forgotten_ += static_cast<std::uint32_t>(some);
    // What an entry got first lies behind what those before it got first.
    auto position = none;
    for (auto entry = entries_.begin(); entry != entries_.end() && position == none; ++entry) {
        for (auto next = entry->first; next != none; next = load_be32(at(next))) {
            position = next;
        }
    }
    const auto in_use = position == none
                            ? chunks_.size() - (chunks_.empty() ? 0 : 1)
                            : static_cast<std::uint16_t>((position >> 16) - chunks_gone_);
    for (std::size_t i = 0; i < in_use; ++i) {
        chunks_.pop_front();
        ++chunks_gone_;
    }
    fill_table(table_.size());
}

std::uint32_t KeyRing::find(Bytes client_random) const {
    if (table_.empty() || client_random.size() != 32) {
        return none;
    }
    const auto entry = table_[slot_of(client_random)];
    return entry == 0 ? none : entry - 1;
}

Bytes KeyRing::secret(std::uint32_t entry, Secret kind) const {
    if (!knows(entry)) {
        return {};
    }
    for (auto position = entries_[entry - forgotten_].first; position != none;) {
        const auto* header = at(position);
        if (header[4] == static_cast<std::uint8_t>(kind)) {
            return {header + header_size, header[5]};
        }
        position = load_be32(header);
    }
    return {};
}

Bytes KeyRing::client_random(std::uint32_t entry) const {
    return knows(entry) ? Bytes{entries_[entry - forgotten_].random} : Bytes{};
}

void KeyRing::append_lines(std::string& out, std::uint32_t entry) const {
    std::array<bool, 16> told{}; // a kind has several labels: the first is ours
    for (const auto& label : labels) {
        const auto found = secret(entry, label.kind);
        if (found.empty() || std::exchange(told[static_cast<std::size_t>(label.kind)], true)) {
            continue;
        }
        out.append(label.text) += ' ';
        append_hex(out, client_random(entry));
        out += ' ';
        append_hex(out, found);
        out += '\n';
    }
}

void append_note(std::string& out, const ConnectionNote& note) {
    out += "# callwright connection random=";
    append_hex(out, note.client_random);
    out += fmt::format(" client={} server={}", to_string(note.client), to_string(note.server));
    if (note.version != 0) {
        out += fmt::format(" version={:04x}", note.version);
    }
    if (note.suite != 0) {
        out += fmt::format(" suite={:04x}", note.suite);
    }
    if (note.server_random != decltype(note.server_random){}) {
        out += " server_random=";
        append_hex(out, note.server_random);
    }
    out += '\n';
}

std::uint32_t KeyRing::store(Secret kind, Bytes secret, std::uint32_t next) {
    const auto size = header_size + secret.size();
    if (chunks_.empty() || used_ + size > chunk_size) {
        if (chunks_.size() == largest_chunks) {
            return none;
        }
        chunks_.emplace_back(new std::uint8_t[chunk_size]);
        used_ = 0;
    }
    const auto chunk = static_cast<std::uint16_t>(chunks_gone_ + chunks_.size() - 1);
    const auto position = std::uint32_t{chunk} << 16 | used_;
    auto* header = at(position);
    header[0] = static_cast<std::uint8_t>(next >> 24);
    header[1] = static_cast<std::uint8_t>(next >> 16);
    header[2] = static_cast<std::uint8_t>(next >> 8);
    header[3] = static_cast<std::uint8_t>(next);
    header[4] = static_cast<std::uint8_t>(kind);
    header[5] = static_cast<std::uint8_t>(secret.size());
    std::ranges::copy(secret, header + header_size);
    used_ += static_cast<std::uint32_t>(size);
    return position;
}

void KeyRing::put(Bytes client_random, Secret kind, Bytes secret) {
    if (entries_.size() >= most_entries_) {
        forget_oldest();
    }
    if ((entries_.size() + 1) * 4 > table_.size() * 3) {
        fill_table(std::max<std::size_t>(64, table_.size() * 2));
    }
    auto& slot = table_[slot_of(client_random)];
    if (slot == 0) {
        if (this->entries() == none - 1) {
            return;
        }
        entries_.push_back({.random = {}, .first = none});
        std::ranges::copy(client_random, entries_.back().random.begin());
        slot = this->entries();
    }
    auto& entry = entries_[slot - 1 - forgotten_];
    const auto old = this->secret(slot - 1, kind);
    if (old.size() == secret.size()) {
        std::memcpy(const_cast<std::uint8_t*>(old.data()), secret.data(), secret.size());
    } else if (const auto position = store(kind, secret, entry.first); position != none) {
        entry.first = position; // it hides an older one of another length
    }
    premasters_ |= kind == Secret::PreMaster;
}

// --- lines

// Nothing when the line is understood, or is well-formed and of no use; else what is wrong with it.
const char* KeyRing::add_line(std::string_view line) {
    const auto word = take_word(line);
    if (word == "RSA") {
        return add_rsa_line(line);
    }
    const auto random_text = take_word(line);
    const auto* label = std::ranges::find(labels, word, &Label::text);
    if (label == labels.end()) {
        // Labels that we have no use for (later traffic secrets, ECH…) come from newer programs.
        const bool shape = std::ranges::all_of(
            word, [](char c) { return (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_'; });
        return shape && is_hex(random_text) && is_hex(line) ? nullptr : "unknown label";
    }
    std::array<std::uint8_t, 32> random{};
    if (from_hex(random_text, random) != random.size()) {
        return "the client random is not 64 hexadecimal digits";
    }
    std::array<std::uint8_t, largest_secret> secret{};
    const auto size = from_hex(line, secret);
    if (!size || *size == 0) {
        return "the secret is not hexadecimal";
    }
    const bool fits = label->kind == Secret::Master      ? *size == 48
                      : label->kind == Secret::PreMaster ? true
                                                         : *size >= 32 && *size <= 64;
    if (fits) {
        put(random, label->kind, Bytes{secret}.first(*size));
    }
    OPENSSL_cleanse(secret.data(), secret.size());
    return fits ? nullptr : "the secret has the wrong length";
}

const char* KeyRing::add_rsa_line(std::string_view rest) {
    const auto first = take_word(rest);
    std::array<std::uint8_t, 32> key{};
    std::array<std::uint8_t, 48> secret{};
    constexpr std::string_view id_prefix = "Session-ID:";
    constexpr std::string_view master_prefix = "Master-Key:";
    const bool session = first.starts_with(id_prefix) && rest.starts_with(master_prefix);
    const auto size = from_hex(session ? first.substr(id_prefix.size()) : first, key);
    if (!size || *size == 0 || (!session && *size != 8)) {
        return "the encrypted premaster secret is not 16 hexadecimal digits";
    }
    if (from_hex(session ? rest.substr(master_prefix.size()) : rest, secret) != secret.size()) {
        return "the secret is not 96 hexadecimal digits";
    }
    std::string name{session ? "s" : "p"};
    name += as_text(Bytes{key}.first(*size));
    by_text_[std::move(name)] = secret;
    OPENSSL_cleanse(secret.data(), secret.size());
    return nullptr;
}

// --- comments

namespace {

// The same for both orders of the ends.
std::uint64_t hash_of_ends(const Endpoint& a, const Endpoint& b) {
    return hash_value(a) ^ hash_value(b);
}

bool are_ends(const ConnectionNote& note, const Endpoint& a, const Endpoint& b) {
    return (note.client == a && note.server == b) || (note.client == b && note.server == a);
}

std::uint16_t number_from_hex(std::string_view text) {
    std::array<std::uint8_t, 2> bytes{};
    return text.size() == 4 && from_hex(text, bytes) ? load_be16(bytes.data()) : std::uint16_t{0};
}

} // namespace

// Note: comments are anybody's; what is not ours or not right says nothing, and is no fault.
void KeyRing::add_comment(std::string_view line) {
    constexpr std::string_view ours = "# callwright connection ";
    if (!line.starts_with(ours) || notes_.size() >= largest_notes) {
        return;
    }
    line.remove_prefix(ours.size());
    ConnectionNote note;
    bool random = false;
    bool client = false;
    bool server = false;
    while (!line.empty()) {
        const auto word = take_word(line);
        const auto equals = std::min(word.find('='), word.size());
        const auto name = word.substr(0, equals);
        const auto value = word.substr(std::min(equals + 1, word.size()));
        if (name == "random") {
            random = from_hex(value, note.client_random) == note.client_random.size();
        } else if (name == "server_random") {
            if (from_hex(value, note.server_random) != note.server_random.size()) {
                note.server_random = {};
            }
        } else if (name == "client" || name == "server") {
            const auto at = parse_endpoint(value, 0);
            (name == "client" ? client : server) = at.has_value();
            (name == "client" ? note.client : note.server) = at.value_or(Endpoint{});
        } else if (name == "version") {
            note.version = number_from_hex(value);
        } else if (name == "suite") {
            note.suite = number_from_hex(value);
        }
    }
    if (!random || !client || !server) {
        return;
    }
    auto& latest = notes_by_ends_[hash_of_ends(note.client, note.server)];
    note.earlier = latest;
    notes_.push_back(note);
    latest = static_cast<std::uint32_t>(notes_.size());
}

std::vector<const ConnectionNote*> KeyRing::notes_of(const Endpoint& a, const Endpoint& b,
                                                     std::size_t most) const {
    std::vector<const ConnectionNote*> found;
    const auto latest = notes_by_ends_.find(hash_of_ends(a, b));
    auto at = latest != notes_by_ends_.end() ? latest->second : 0;
    for (std::size_t looked = 0; at != 0 && found.size() < most && looked < 4 * most; ++looked) {
        const auto& note = notes_[at - 1];
        if (are_ends(note, a, b) &&
            (found.empty() || found.back()->client_random != note.client_random)) {
            found.push_back(&note);
        }
        at = note.earlier;
    }
    return found;
}

Bytes KeyRing::premaster_of(Bytes encrypted) const {
    if (by_text_.empty() || encrypted.size() < 8) {
        return {};
    }
    const auto found = by_text_.find("p" + std::string{as_text(encrypted.first(8))});
    return found != by_text_.end() ? Bytes{found->second} : Bytes{};
}

Bytes KeyRing::master_of_session(Bytes session_id) const {
    if (by_text_.empty() || session_id.empty()) {
        return {};
    }
    const auto found = by_text_.find("s" + std::string{as_text(session_id)});
    return found != by_text_.end() ? Bytes{found->second} : Bytes{};
}

void KeyRing::add_text(std::string_view text, std::string_view name) {
    Lines lines{*this, name};
    lines.add(text);
    if (!lines.finish()) {
        problem(name, not_keys);
    }
    ++generation_;
}

// --- private keys

void KeyRing::add_der_key(std::string_view type, Bytes der, std::string_view name) {
    const auto* at = der.data();
    std::unique_ptr<EVP_PKEY, FreeKey> key{
        d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(der.size()))};
    if (!key) {
        problem(name, fmt::format("its {} is damaged", type));
        return;
    }
    if (all_keys_.size() < most_keys) {
        EVP_PKEY_up_ref(key.get());
        all_keys_.emplace_back(key.get());
    }
    if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
        return; // of no use for TLS; who gave it is told, unless it is meant for bodies
    }
    keys_.push_back(std::move(key));
}

void KeyRing::add_pem(std::string_view text, std::string_view name) {
    ++generation_;
    std::unique_ptr<BIO, decltype(&BIO_free)> bio{
        BIO_new_mem_buf(text.data(), static_cast<int>(std::min(text.size(), largest_pem))),
        BIO_free};
    std::size_t keys_seen = 0;
    std::size_t certificates_seen = 0;
    const auto all_before = all_keys_.size();
    const auto rsa_before = keys_.size();
    bool of_person = false; // who signs and reads bodies, and does not mean TLS
    char* type = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long length = 0;
    while (bio && PEM_read_bio(bio.get(), &type, &header, &data, &length) == 1) {
        const std::string_view kind{type};
        if (kind.ends_with("PRIVATE KEY")) {
            ++keys_seen;
            if (kind.starts_with("ENCRYPTED") ||
                std::string_view{header}.find("ENCRYPTED") != std::string_view::npos) {
                problem(name, "its private key is protected by a password; remove that first "
                              "(openssl pkey -in FILE -out NEW)");
            } else {
                add_der_key(kind, {data, static_cast<std::size_t>(length)}, name);
            }
        }
        if (kind == "CERTIFICATE" && certificates_.size() < most_keys) {
            const auto* at = static_cast<const unsigned char*>(data);
            if (CertificatePtr certificate{d2i_X509(nullptr, &at, length)}) {
                ++certificates_seen;
                of_person |= (X509_get_extension_flags(certificate.get()) & EXFLAG_XKUSAGE) != 0 &&
                             (X509_get_extended_key_usage(certificate.get()) & XKU_SMIME) != 0;
                certificates_.push_back(std::move(certificate));
            }
        }
        OPENSSL_free(type);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, static_cast<std::size_t>(length));
    }
    ERR_clear_error(); // the loop ends with "no start line"
    if (all_keys_.size() - all_before > keys_.size() - rsa_before && !of_person) {
        problem(name, "only RSA keys can open TLS, and only with RSA key exchange; for TLS give a "
                      "key log (S/MIME bodies are opened with this key)");
    }
    if (keys_seen == 0 && certificates_seen == 0) {
        problem(name, "holds no private key");
    }
}

bool KeyRing::has_key_for(const EVP_PKEY* public_key) const {
    return public_key != nullptr && std::ranges::any_of(keys_, [&](const auto& key) {
               return EVP_PKEY_eq(key.get(), public_key) == 1;
           });
}

namespace {

// [RFC 8017 §7.2.2] Note: the padding is taken off here, because OpenSSL's own way answers a wrong
// padding with made-up bytes from 3.2 on. No attacker measures us: we only listen.
bool open_with(EVP_PKEY* key, Bytes encrypted, std::span<std::uint8_t, 48> premaster) {
    const auto size = static_cast<std::size_t>(EVP_PKEY_get_size(key));
    constexpr std::size_t overhead = 11;
    if (encrypted.size() > size || size < premaster.size() + overhead || size > 2048) {
        return false;
    }
    std::vector<std::uint8_t> in(size);
    std::ranges::copy(encrypted, in.end() - static_cast<std::ptrdiff_t>(encrypted.size()));
    std::vector<std::uint8_t> out(size);
    auto length = size;
    std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context{
        EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr), EVP_PKEY_CTX_free};
    bool ok = context && EVP_PKEY_decrypt_init(context.get()) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING) == 1 &&
              EVP_PKEY_decrypt(context.get(), out.data(), &length, in.data(), in.size()) == 1 &&
              length == size;
    const auto zero = size - premaster.size() - 1;
    ok = ok && out[0] == 0 && out[1] == 2 && out[zero] == 0 &&
         std::all_of(out.begin() + 2, out.begin() + static_cast<std::ptrdiff_t>(zero),
                     [](std::uint8_t byte) { return byte != 0; });
    if (ok) {
        std::copy(out.end() - 48, out.end(), premaster.begin());
    }
    OPENSSL_cleanse(out.data(), out.size());
    ERR_clear_error();
    return ok;
}

} // namespace

bool KeyRing::open_premaster(Bytes encrypted, const EVP_PKEY* public_key,
                             std::span<std::uint8_t, 48> premaster) const {
    std::size_t tries = 0;
    for (const auto& key : keys_) {
        if (public_key != nullptr && EVP_PKEY_eq(key.get(), public_key) != 1) {
            continue;
        }
        if (open_with(key.get(), encrypted, premaster)) {
            return true;
        }
        if (++tries == largest_tries) {
            break;
        }
    }
    return false;
}

// --- files

Result<void> KeyRing::add_directory(const std::string& path) {
    std::error_code error;
    std::vector<std::string> files;
    for (auto at = std::filesystem::directory_iterator{path, error};
         !error && at != std::filesystem::directory_iterator{}; at.increment(error)) {
        std::error_code ignored;
        if (at->is_regular_file(ignored)) {
            files.push_back(at->path().string());
        }
    }
    if (error) {
        return fail(Code::CannotRead, 0, "the directory cannot be read");
    }
    std::ranges::sort(files); // so that "the latest line" does not depend on the file system
    for (const auto& file : files) {
        if (const auto added = add_file(file); !added) {
            problem(file_name(file), added.error().what);
        }
    }
    if (files.empty()) {
        problem(path, "no files in this directory");
    }
    return {};
}

Result<void> KeyRing::add_file(const std::string& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) {
        return add_directory(path);
    }
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "rb"),
                                                         std::fclose};
    if (!file) {
        return errno == ENOENT ? fail(Code::NotFound, 0, "no such file")
                               : fail(Code::CannotRead, 0, "the file cannot be opened");
    }
    std::setvbuf(file.get(), nullptr, _IONBF, 0); // blocks are large, and no copy of keys stays
    const auto name = file_name(path);
    std::string block(std::size_t{256} * 1024, '\0');
    const auto read = [&] { return std::fread(block.data(), 1, block.size(), file.get()); };
    auto size = read();
    const auto head = std::string_view{block}.substr(0, size);
    bool is_known = true;
    if (head.find("-----BEGIN ") != std::string_view::npos) {
        std::string pem{head};
        while (size != 0 && pem.size() < largest_pem) {
            size = read();
            pem.append(block, 0, size);
        }
        add_pem(pem, name);
        OPENSSL_cleanse(pem.data(), pem.size());
    } else if (is_binary(head)) {
        is_known = false;
    } else {
        Lines lines{*this, name};
        for (; size != 0; size = read()) {
            lines.add({block.data(), size});
        }
        is_known = lines.finish();
        ++generation_;
    }
    OPENSSL_cleanse(block.data(), block.size());
    if (std::ferror(file.get()) != 0) {
        return fail(Code::CannotRead, 0, "the file cannot be read");
    }
    return is_known ? Result<void>{} : fail(Code::Unsupported, 0, not_keys);
}

} // namespace cw::crypto
