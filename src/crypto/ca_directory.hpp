// The small CA on disk. In its directory:
//
//   ca.pem  ca.key           the CA; give ca.pem to those who are to trust what it issues
//   NAME.pem  NAME.key       what was issued for NAME: certificate and key
//   issued/SERIAL.pem        every certificate that was ever issued
//   crl.pem                  what was revoked
//
// Keys have mode 0600. Nothing is replaced unless that is asked for. Time is an argument. One
// directory is for one process at a time; two that issue at once get in nobody's way but their own
// revocations.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "crypto/ca.hpp"
#include "crypto/private_file.hpp"

namespace cw::crypto {

// What went wrong, with which file.
struct CaFailure {
    Code code = Code::CannotRead;
    std::string where; // a path, or the name that was asked for
    std::string why;
};
template <class T>
using CaResult = std::expected<T, CaFailure>;

struct IssuedFiles {
    std::string certificate; // paths
    std::string key;
    std::string serial;
    Validity validity;
    bool made = true; // false: an earlier one serves
};

class CaDirectory {
  public:
    // Makes the directory (mode 0700) and a CA in it.
    static CaResult<CaDirectory> create(const std::string& path, const CaSpec& spec,
                                        IfThere if_there);
    static CaResult<CaDirectory> open(const std::string& path);
    static CaResult<CaDirectory> open_or_create(const std::string& path, const CaSpec& spec);

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string ca_file() const { return path_ + "/ca.pem"; }
    [[nodiscard]] std::string crl_file() const { return path_ + "/crl.pem"; }
    [[nodiscard]] const Credential& ca() const { return ca_; }

    // Issues and writes NAME.pem and NAME.key; NAME is the first name of the specification. It ends
    // no later than the CA does.
    CaResult<IssuedFiles> issue(LeafSpec spec, IfThere if_there);
    // The same, unless NAME.pem is there, is ours, speaks for all these names and is good for three
    // days more.
    CaResult<IssuedFiles> keep_issued(const LeafSpec& spec, Instant now);

    // `what` is the path of a certificate, the NAME it was issued for, or a serial number. Writes a
    // list that is good for `days`. Revoking twice changes nothing but the list's date.
    CaResult<std::string> revoke(const std::string& what, Instant now, int days); // → serial
    // A list of what was revoked so far.
    CaResult<void> renew_crl(Instant now, int days);

  private:
    CaDirectory(std::string path, Credential ca) : path_(std::move(path)), ca_(std::move(ca)) {}
    [[nodiscard]] CaResult<std::string> serial_meant_by(const std::string& what) const;
    CaResult<void> write_crl(const std::string* serial, Instant now, int days);

    std::string path_;
    Credential ca_;
};

// "example.com" for the first name of the specification: a file name without surprises.
std::string file_name_of(const LeafSpec& spec);

} // namespace cw::crypto
