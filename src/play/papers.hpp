// What bodies are signed and encrypted with, to be kept. PEM.
#pragma once

#include <string>

namespace cw::play {

struct Papers {
    std::string whose; // "ca": the certificate of a run's CA; else "alice@example.com"
    std::string pem;   // a person's certificate and private key: a secret
};

} // namespace cw::play
