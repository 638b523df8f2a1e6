#include "net/websocket_upgrade.hpp"

#include <optional>

#include <openssl/evp.h>

#include "base/text.hpp"

namespace cw::net {
namespace {

// [RFC 6455 §1.3]
constexpr std::string_view guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t key_size = 24; // 16 octets in Base64

std::string base64(const std::uint8_t* bytes, std::size_t size) {
    std::string out(4 * ((size + 2) / 3) + 1, '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes, static_cast<int>(size));
    out.pop_back();
    return out;
}

bool is_key(std::string_view text) {
    if (text.size() != key_size || !text.ends_with("==")) {
        return false;
    }
    for (const char c : text.substr(0, key_size - 2)) {
        if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '/') {
            return false;
        }
    }
    return true;
}

bool has_token(std::string_view list, std::string_view token, bool exact) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        const auto item = trim(list.substr(0, comma));
        if (exact ? item == token : iequals(item, token)) {
            return true;
        }
        list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    }
    return false;
}

// The lines of a head, one pass. What an upgrade is decided by is kept; whatever could be read in
// two ways makes it malformed.
struct Head {
    std::string_view start_line;
    std::string_view key;
    std::string_view accept;
    std::string_view origin;
    std::string_view version;
    bool host = false;
    bool upgrade = false;    // Upgrade has websocket
    bool connection = false; // Connection has upgrade
    bool protocol = false;   // Sec-WebSocket-Protocol has the one asked about
    bool any_protocol = false;
    bool extensions = false;
    bool body = false;
    bool malformed = false;
};

bool once(std::string_view& kept, std::string_view value) {
    const bool first = kept.data() == nullptr;
    kept = value;
    return first;
}

void read_field(Head& head, std::string_view name, std::string_view value,
                std::string_view protocol) {
    if (iequals(name, "Upgrade")) {
        head.upgrade = head.upgrade || has_token(value, "websocket", false);
    } else if (iequals(name, "Connection")) {
        head.connection = head.connection || has_token(value, "upgrade", false);
    } else if (iequals(name, "Sec-WebSocket-Protocol")) {
        head.any_protocol = true;
        head.protocol = head.protocol || has_token(value, protocol, true);
    } else if (iequals(name, "Sec-WebSocket-Extensions")) {
        head.extensions = true;
    } else if (iequals(name, "Host")) {
        head.malformed = head.malformed || head.host || value.empty();
        head.host = true;
    } else if (iequals(name, "Sec-WebSocket-Key")) {
        head.malformed = head.malformed || !once(head.key, value);
    } else if (iequals(name, "Sec-WebSocket-Accept")) {
        head.malformed = head.malformed || !once(head.accept, value);
    } else if (iequals(name, "Sec-WebSocket-Version")) {
        head.malformed = head.malformed || !once(head.version, value);
    } else if (iequals(name, "Origin")) {
        head.malformed = head.malformed || !once(head.origin, value);
    } else if (iequals(name, "Transfer-Encoding") ||
               (iequals(name, "Content-Length") && value != "0")) {
        head.body = true;
    }
}

Head read_head(std::string_view text, std::string_view protocol) {
    Head head;
    for (bool first = true; !text.empty(); first = false) {
        const auto end = text.find("\r\n");
        const auto line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 2);
        if (first) {
            head.start_line = line;
            continue;
        }
        if (line.empty()) {
            break;
        }
        const auto colon = line.find(':');
        const auto name = line.substr(0, colon);
        if (colon == std::string_view::npos || name.empty() ||
            name.find_first_of(" \t\r\n") != std::string_view::npos ||
            line.find_first_of(std::string_view{"\r\n\0", 3}) != std::string_view::npos) {
            head.malformed = true; // also folded lines
            continue;
        }
        read_field(head, name, trim(line.substr(colon + 1)), protocol);
    }
    return head;
}

// "GET /path HTTP/1.1"
std::optional<std::string_view> path_of(std::string_view line) {
    if (!line.starts_with("GET ") || !line.ends_with(" HTTP/1.1")) {
        return std::nullopt;
    }
    const auto path = line.substr(4).substr(0, line.size() - 4 - 9);
    const bool good =
        path.starts_with('/') && path.find_first_of(std::string_view{" \t\r\n#\0", 6}) == path.npos;
    return good ? std::optional{path} : std::nullopt;
}

} // namespace

std::string key_of_nonce(const std::array<std::uint8_t, 16>& nonce) {
    return base64(nonce.data(), nonce.size());
}

std::string accept_of_key(std::string_view key) {
    const auto text = std::string{key} += guid;
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
    return base64(digest.data(), size);
}

// [RFC 6455 §4.2.1]
std::variant<UpgradeRequest, UpgradeRefusal> read_upgrade_request(std::string_view text,
                                                                  std::string_view protocol) {
    const auto head = read_head(text, protocol);
    const auto path = path_of(head.start_line);
    const auto refuse = [](const char* why) { return UpgradeRefusal{"400 Bad Request", why}; };
    if (!path || head.malformed || !head.host || head.body) {
        return refuse("not an HTTP/1.1 GET request of the simple kind");
    }
    if (!head.upgrade || !head.connection) {
        return UpgradeRefusal{"426 Upgrade Required", "not a request for a WebSocket"};
    }
    if (head.version != "13") {
        return UpgradeRefusal{"426 Upgrade Required", "another version of WebSocket"};
    }
    if (!is_key(head.key)) {
        return refuse("Sec-WebSocket-Key is missing or malformed");
    }
    if (!protocol.empty() && !head.protocol) {
        return refuse("the subprotocol is not offered");
    }
    return UpgradeRequest{*path, head.key, head.origin};
}

// [RFC 6455 §4.1]
const char* fault_of_upgrade_answer(std::string_view text, std::string_view accept,
                                    std::string_view protocol) {
    const auto head = read_head(text, protocol);
    if (!head.start_line.starts_with("HTTP/1.1 101") || head.malformed) {
        return "the server did not switch protocols";
    }
    if (!head.upgrade || !head.connection || head.accept != accept) {
        return "the server's answer is not one to this request";
    }
    if (head.extensions || (protocol.empty() ? head.any_protocol : !head.protocol)) {
        return "the server chose an extension or subprotocol that was not offered";
    }
    return nullptr;
}

void write_upgrade_request(std::string& out, const UpgradeWish& wish, std::string_view protocol) {
    out.append("GET ").append(wish.path).append(" HTTP/1.1\r\nHost: ").append(wish.host);
    out.append("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ");
    out.append(key_of_nonce(wish.nonce));
    if (!wish.origin.empty()) {
        out.append("\r\nOrigin: ").append(wish.origin);
    }
    if (!protocol.empty()) {
        out.append("\r\nSec-WebSocket-Protocol: ").append(protocol);
    }
    out.append("\r\nSec-WebSocket-Version: 13\r\n\r\n");
}

void write_upgrade_answer(std::string& out, std::string_view key, std::string_view protocol) {
    out.append("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
    out.append("Sec-WebSocket-Accept: ").append(accept_of_key(key));
    if (!protocol.empty()) {
        out.append("\r\nSec-WebSocket-Protocol: ").append(protocol);
    }
    out.append("\r\n\r\n");
}

void write_upgrade_refusal(std::string& out, const UpgradeRefusal& refusal) {
    out.append("HTTP/1.1 ").append(refusal.status);
    // [RFC 6455 §4.2.2] The server says which version it speaks.
    out.append("\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: close\r\n");
    const auto text = std::string{refusal.why} + "\n";
    out.append("Content-Type: text/plain\r\nContent-Length: ").append(std::to_string(text.size()));
    out.append("\r\n\r\n").append(text);
}

} // namespace cw::net
