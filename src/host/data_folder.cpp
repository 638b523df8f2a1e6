#include "host/data_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "crypto/ca_directory.hpp"
#include "crypto/private_file.hpp"

namespace cw::host {
namespace {

constexpr std::size_t secret_size = 32;
constexpr int certificate_days = 365;
constexpr int ca_days = 3650;

std::unexpected<std::string> failed(const std::string& path, const char* why) {
    return std::unexpected{path + ": " + why};
}

std::expected<std::string, std::string> keep_secret(const std::string& path) {
    const auto there = crypto::read_whole(path, 4096);
    if (there) {
        if (there->size() < secret_size) {
            return failed(path, "shorter than a secret; remove it to have a new one");
        }
        return *there;
    }
    if (there.error().code != Code::NotFound) {
        return failed(path, there.error().what);
    }
    std::string secret(secret_size, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(secret.data()), secret_size) != 1) {
        return failed(path, "no random numbers");
    }
    if (const auto written =
            crypto::write_whole(path, secret, crypto::for_owner, crypto::IfThere::Refuse);
        !written) {
        return failed(path, written.error().what);
    }
    return secret;
}

} // namespace

std::expected<DataFolder, std::string> DataFolder::open(const std::string& path) {
    DataFolder folder;
    folder.path_ = path;
    if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return failed(path, std::strerror(errno));
    }
    const auto lock = path + "/lock";
    folder.lock_.reset(::open(lock.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    if (!folder.lock_.open()) {
        return failed(lock, std::strerror(errno));
    }
    if (flock(folder.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
        return failed(path, "in use by another callwright serve; choose another with --data");
    }
    auto secret = keep_secret(path + "/secret");
    if (!secret) {
        return std::unexpected{secret.error()};
    }
    folder.secret_ = std::move(*secret);
    return folder;
}

std::expected<net::CertificateFiles, std::string>
DataFolder::throw_away_certificate(const std::vector<std::string>& domains,
                                   const std::vector<IpAddress>& addresses, Instant now) const {
    const auto said = [](const crypto::CaFailure& failure) {
        return std::unexpected{failure.where + ": " + failure.why};
    };
    crypto::CaSpec ca_spec;
    ca_spec.name = "Callwright throw-away CA";
    ca_spec.validity = crypto::valid_for(now, ca_days);
    auto ca = crypto::CaDirectory::open_or_create(path_, ca_spec);
    if (!ca) {
        return said(ca.error());
    }
    crypto::LeafSpec leaf;
    leaf.domains = domains;
    leaf.addresses = addresses;
    leaf.validity = crypto::valid_for(now, certificate_days);
    const auto files = ca->keep_issued(leaf, now);
    if (!files) {
        return said(files.error());
    }
    return net::CertificateFiles{files->certificate, files->key};
}

} // namespace cw::host
