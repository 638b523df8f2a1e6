#include "net/token_key.hpp"

#include <algorithm>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

// OpenSSL 3 calls engines obsolete; Debian 12 has no PKCS#11 provider yet.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include <openssl/engine.h>
#include <openssl/ui.h>

namespace cw::net {
namespace {

constexpr std::string_view scheme = "pkcs11:";

// The value of an attribute of the URI, as it stands there; empty: it has none.
std::string_view attribute(std::string_view uri, std::string_view name) {
    for (std::size_t at = uri.find(name); at != std::string_view::npos;
         at = uri.find(name, at + 1)) {
        const char before = at == 0 ? '?' : uri[at - 1];
        const auto end = at + name.size();
        if ((before == '?' || before == '&' || before == ';' || before == ':') &&
            end < uri.size() && uri[end] == '=') {
            const auto value = uri.substr(end + 1);
            return value.substr(0, value.find_first_of("?&;"));
        }
    }
    return {};
}

int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

// [RFC 7512 §2.3] "%41" is "A".
std::string decoded(std::string_view value) {
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const int high = i + 2 < value.size() && value[i] == '%' ? hex_digit(value[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(value[i + 2]) : -1;
        if (low >= 0) {
            out += static_cast<char>(high << 4 | low);
            i += 2;
        } else {
            out += value[i];
        }
    }
    return out;
}

// The URI without this attribute of its query.
std::string without(std::string_view uri, std::string_view name) {
    std::string out{uri.substr(0, uri.find('?'))};
    if (const auto query = uri.find('?'); query != std::string_view::npos) {
        char separator = '?';
        for (auto rest = uri.substr(query + 1); !rest.empty();) {
            const auto part = rest.substr(0, rest.find('&'));
            if (!(part.starts_with(name) && part.substr(name.size()).starts_with('='))) {
                out += separator;
                out += part;
                separator = '&';
            }
            rest.remove_prefix(std::min(part.size() + 1, rest.size()));
        }
    }
    return out;
}

std::unexpected<std::string> failed(const std::string& uri, std::string what) {
    if (const auto code = ERR_peek_error(); code != 0) { // the first: what follows are consequences
        if (const char* reason = ERR_reason_error_string(code); reason != nullptr) {
            what += std::string{": "} + reason;
        }
    }
    ERR_clear_error();
    return std::unexpected{without_pin(uri) + ": " + what};
}

struct FreeEngine {
    void operator()(ENGINE* engine) const { ENGINE_free(engine); }
};

} // namespace

void FreePrivateKey::operator()(EVP_PKEY* key) const {
    EVP_PKEY_free(key);
}

bool is_token_key(std::string_view name) {
    return name.starts_with(scheme);
}

std::string without_pin(std::string_view uri) {
    return std::string{uri.substr(0, uri.find('?'))};
}

std::expected<PrivateKey, std::string> load_token_key(const std::string& uri) {
    ENGINE_load_dynamic();
    const std::unique_ptr<ENGINE, FreeEngine> engine{ENGINE_by_id("pkcs11")};
    if (engine == nullptr) {
        return failed(uri, "OpenSSL's engine for tokens is not here (libengine-pkcs11-openssl)");
    }
    if (const auto module = attribute(uri, "module-path");
        !module.empty() &&
        ENGINE_ctrl_cmd_string(engine.get(), "MODULE_PATH", decoded(module).c_str(), 0) != 1) {
        return failed(uri, "its module-path is refused");
    }
    // The engine prints the URI where it cannot find the key: the PIN goes another way.
    auto pin = decoded(attribute(uri, "pin-value"));
    ENGINE_ctrl_cmd_string(engine.get(), "QUIET", nullptr, 1);
    if (!pin.empty()) {
        ENGINE_ctrl_cmd_string(engine.get(), "PIN", pin.c_str(), 0);
        OPENSSL_cleanse(pin.data(), pin.size());
    }
    if (ENGINE_init(engine.get()) != 1) {
        return failed(uri, "its module cannot be used (module-path, PKCS11_MODULE_PATH)");
    }
    // Note: without a PIN in the URI the engine would ask the terminal.
    auto* ui = UI_null();
    PrivateKey key{ENGINE_load_private_key(
        engine.get(), without(without(uri, "pin-value"), "module-path").c_str(),
        const_cast<UI_METHOD*>(ui), nullptr)};
    ENGINE_finish(engine.get()); // a key that was loaded keeps it
    if (key == nullptr) {
        return failed(uri, "no such private key, or its PIN is wrong (pin-value, pin-source)");
    }
    return key;
}

} // namespace cw::net
