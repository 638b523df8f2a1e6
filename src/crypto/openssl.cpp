#include "crypto/openssl.hpp"

#include <openssl/err.h>

namespace cw::crypto {

std::string take_openssl_error() {
    const auto code = ERR_peek_last_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    return reason != nullptr ? reason : "no reason given";
}

} // namespace cw::crypto
