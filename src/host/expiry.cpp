#include "host/expiry.hpp"

#include <algorithm>

#include "crypto/certificate.hpp"
#include "crypto/private_file.hpp"

namespace cw::host {

std::vector<ShownCertificate> certificates_in(const std::string& file) {
    constexpr std::size_t most = std::size_t{1} << 20;
    std::vector<ShownCertificate> out;
    const auto text = crypto::read_whole(file, most);
    if (!text) {
        return out;
    }
    const auto certificates = crypto::read_certificates(*text);
    if (!certificates) {
        return out;
    }
    for (const auto& certificate : *certificates) {
        const auto facts = crypto::describe(certificate.get());
        out.push_back({file, facts.name, facts.not_before, facts.not_after});
    }
    return out;
}

Instant first_to_expire(std::span<const ShownCertificate> certificates) {
    const auto first = std::ranges::min_element(certificates, {}, &ShownCertificate::not_after);
    return first == certificates.end() ? Instant{} : first->not_after;
}

void warn_of_expiry(const Log& log, std::span<const ShownCertificate> certificates, Instant now) {
    for (const auto& c : certificates) {
        if (c.not_after - now >= expires_soon && c.not_before <= now) {
            continue;
        }
        const bool bad = c.not_after < now || c.not_before > now;
        log.line(bad ? LogLevel::Error : LogLevel::Warning,
                 bad ? "certificate_out_of_date" : "certificate_expires_soon",
                 field("file", c.file) + field("certificate", c.name) +
                     field("validity", crypto::validity_in_words(c.not_before, c.not_after, now)));
    }
}

} // namespace cw::host
