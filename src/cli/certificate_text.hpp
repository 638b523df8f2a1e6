// Certificates and verdicts on them, for people and as JSON: what `certs` and `probe` share. The
// names in the JSON are those of docs/formats/certs-json.md.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "crypto/certificate.hpp"
#include "crypto/chain.hpp"
#include "view/json_writer.hpp"

namespace cw::cli {

Instant wall_clock();
// "2026-05-01" (midnight, UTC) or "2026-05-01T10:00:00Z".
std::optional<Instant> parse_date(const std::string& text);

// A few lines, indented by `indent` spaces.
std::string certificate_text(const crypto::CertificateFacts& facts, Instant now,
                             std::size_t indent);
// "the domain example.com", "the user alice@example.com"…, a line each; never empty.
std::vector<std::string> identity_lines(const crypto::CertificateFacts& facts);
// Each fault with its way out, and the notes.
std::string verdict_text(const crypto::ChainVerdict& verdict, std::size_t indent);

void write_certificate(view::JsonWriter& json, const crypto::CertificateFacts& facts, Instant now);
// The members of an object that the caller has opened: "good", "name", "path", "faults", "notes".
void write_verdict(view::JsonWriter& json, const crypto::ChainVerdict& verdict);

// Files, or why not: "FILE: why".
using Certificates = std::vector<crypto::CertificatePtr>;
std::expected<Certificates, std::string> load_certificates(const std::string& path);
std::expected<std::vector<crypto::CrlPtr>, std::string> load_crls(const std::string& path);
std::expected<crypto::KeyPtr, std::string> load_key(const std::string& path);

} // namespace cw::cli
