// The folder of one server: its bindings (location.db), the secret that its tokens are sealed with
// (secret), and, where no certificates are configured, a throw-away CA and what it issued (ca.pem,
// NAME.pem, NAME.key). One process at a time: it holds a lock. Keys and the secret have mode 0600.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "net/socket.hpp"
#include "net/tls.hpp"

namespace cw::host {

class DataFolder {
  public:
    // Made when it is not there (mode 0700). Refused while another process has it.
    static std::expected<DataFolder, std::string> open(const std::string& path);

    [[nodiscard]] const std::string& secret() const { return secret_; } // 32 octets
    [[nodiscard]] std::string location_file() const { return path_ + "/location.db"; }
    [[nodiscard]] std::string ca_file() const { return path_ + "/ca.pem"; }

    // A certificate of our own CA that speaks for all these; an earlier one when it still does.
    std::expected<net::CertificateFiles, std::string>
    throw_away_certificate(const std::vector<std::string>& domains,
                           const std::vector<IpAddress>& addresses, Instant now) const;

  private:
    std::string path_;
    std::string secret_;
    net::Descriptor lock_;
};

} // namespace cw::host
