#include "host/expiry.hpp"

#include "crypto/certificate.hpp"
#include "crypto/private_file.hpp"

namespace cw::host {

void warn_of_expiry(const Log& log, const std::string& file, Instant now) {
    constexpr std::size_t most = std::size_t{1} << 20;
    const auto text = crypto::read_whole(file, most);
    if (!text) {
        return;
    }
    const auto certificates = crypto::read_certificates(*text);
    if (!certificates) {
        return;
    }
    for (const auto& certificate : *certificates) {
        const auto facts = crypto::describe(certificate.get());
        const auto left = facts.not_after - now;
        if (left >= expires_soon && facts.not_before <= now) {
            continue;
        }
        const bool bad = facts.not_after < now || facts.not_before > now;
        log.line(bad ? LogLevel::Error : LogLevel::Warning,
                 bad ? "certificate_out_of_date" : "certificate_expires_soon",
                 field("file", file) + field("certificate", facts.name) +
                     field("validity",
                           crypto::validity_in_words(facts.not_before, facts.not_after, now)));
    }
}

} // namespace cw::host
