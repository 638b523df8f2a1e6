// Private keys that never leave a token (a smart card, an HSM, softhsm2): named by a PKCS#11 URI
// [RFC 7512] and reached through OpenSSL's engine "pkcs11". Loading is for one thread at a time;
// the key may then be used by any.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/types.h>

namespace cw::net {

struct FreePrivateKey {
    void operator()(EVP_PKEY* key) const;
};
using PrivateKey = std::unique_ptr<EVP_PKEY, FreePrivateKey>;

// "pkcs11:token=sip;object=example.com;type=private?pin-source=/etc/callwright/pin"
bool is_token_key(std::string_view name);
// What names it for a person: without its PIN.
std::string without_pin(std::string_view uri);
// Fails with a sentence. The module is that of the URI's "module-path", or of the variable
// PKCS11_MODULE_PATH, or the system's (p11-kit).
std::expected<PrivateKey, std::string> load_token_key(const std::string& uri);

} // namespace cw::net
