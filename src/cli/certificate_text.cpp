#include "cli/certificate_text.hpp"

#include <chrono>
#include <ctime>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <openssl/crypto.h>

#include "base/text.hpp"
#include "crypto/private_file.hpp"
#include "view/cells.hpp"

namespace cw::cli {
namespace {

constexpr std::size_t largest_file = std::size_t{8} * 1024 * 1024;

std::string joined(const std::vector<std::string>& texts, std::string_view none) {
    return texts.empty() ? std::string{none}
                         : view::printable(fmt::format("{}", fmt::join(texts, ", ")));
}

std::string day_of(Instant t) {
    return to_rfc3339(t).substr(0, 10);
}

template <class Read>
auto load(const std::string& path, Read read)
    -> std::expected<typename decltype(read(std::string_view{}))::value_type, std::string> {
    auto text = crypto::read_whole(path, largest_file);
    if (!text) {
        return std::unexpected{fmt::format("{}: {}", path, text.error().what)};
    }
    auto result = read(std::string_view{*text});
    OPENSSL_cleanse(text->data(), text->size()); // it may have held a key
    if (!result) {
        return std::unexpected{fmt::format("{}: {}", path, result.error().what)};
    }
    return std::move(*result);
}

template <class List>
void write_texts(view::JsonWriter& json, const List& texts) {
    json.open_array();
    for (const auto& text : texts) {
        json.value(std::string_view{text});
    }
    json.close_array();
}

void write_identity(view::JsonWriter& json, const crypto::CertificateFacts& facts) {
    const auto& identity = facts.identity;
    json.key("sip");
    json.open_object();
    json.key("domains");
    write_texts(json, identity.domains);
    json.key("users");
    write_texts(json, identity.users);
    json.key("addresses");
    json.open_array();
    for (const auto& address : identity.addresses) {
        json.value(std::string_view{to_string(address)});
    }
    json.close_array();
    json.key("passed_over");
    write_texts(json, identity.passed_over);
    json.member_or_null("problem", facts.identity_problem);
    json.close_object();
}

} // namespace

Instant wall_clock() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
}

std::optional<Instant> parse_date(const std::string& text) {
    std::tm fields{};
    const char* end = ::strptime(text.c_str(), "%Y-%m-%d", &fields);
    if (end != nullptr && *end == 'T') {
        end = ::strptime(end, "T%H:%M:%SZ", &fields);
    }
    if (end == nullptr || *end != '\0') {
        return std::nullopt;
    }
    return Instant{} + seconds(static_cast<std::int64_t>(::timegm(&fields)));
}

std::vector<std::string> identity_lines(const crypto::CertificateFacts& facts) {
    if (!facts.identity_problem.empty()) {
        return {"refused: " + facts.identity_problem};
    }
    const auto& identity = facts.identity;
    std::vector<std::string> lines;
    for (const auto& domain : identity.domains) {
        const bool wildcard = domain.find('*') != std::string::npos;
        lines.push_back("the domain " + domain +
                        (wildcard ? " (wildcards do not count in SIP)" : ""));
    }
    for (const auto& user : identity.users) {
        lines.push_back("the user " + user);
    }
    for (const auto& address : identity.addresses) {
        lines.push_back("the address " + to_string(address));
    }
    if (lines.empty()) {
        lines.emplace_back(facts.is_ca ? "nobody: it is a CA"
                                       : "nobody: it has no sip URI and no DNS name in "
                                         "subjectAltName, and a common name does not count");
    }
    for (const auto& passed : identity.passed_over) {
        lines.push_back("(not: " + passed + ")");
    }
    return lines;
}

std::string certificate_text(const crypto::CertificateFacts& facts, Instant now,
                             std::size_t indent) {
    std::string out;
    const auto row = [&](std::string_view name, std::string_view value) {
        out += fmt::format("{:{}}{:<9} {}\n", "", indent, name, view::printable(value));
    };
    row("subject", facts.subject.empty() ? "(empty)" : facts.subject);
    row("issuer", facts.self_issued ? "itself" : facts.issuer);
    row("names", joined(facts.names, "none (no subjectAltName)"));
    row("valid", fmt::format("{} to {}, {}", day_of(facts.not_before), day_of(facts.not_after),
                             crypto::validity_in_words(facts.not_before, facts.not_after, now)));
    row("key",
        fmt::format("{}{}, signed with {}{}", facts.key, facts.key_strength < 112 ? " (weak)" : "",
                    facts.signature, facts.weak_signature ? " (weak)" : ""));
    row("used for", fmt::format("{}; {}", joined(facts.purposes, "any purpose"),
                                joined(facts.key_usages, "any key usage")));
    std::string_view title = "speaks for";
    for (const auto& line : identity_lines(facts)) {
        out += fmt::format("{:{}}{:<9} {}\n", "", indent, title == "speaks for" ? "in SIP" : "",
                           view::printable(line));
        title = "";
    }
    for (const auto& where : facts.revocation) {
        row("revoked?", where);
    }
    row("serial", facts.serial);
    row("SHA-256", facts.fingerprint);
    return out;
}

std::string verdict_text(const crypto::ChainVerdict& verdict, std::size_t indent) {
    std::string out;
    for (const auto& fault : verdict.faults) {
        out += fmt::format("{:{}}{}: {}\n", "", indent, crypto::to_string(fault.rule),
                           view::printable(crypto::describe(fault)));
        if (!fault.advice.empty()) {
            out += fmt::format("{:{}}  → {}\n", "", indent, view::printable(fault.advice));
        }
    }
    for (const auto& note : verdict.notes) {
        out += fmt::format("{:{}}note: {}\n", "", indent, view::printable(note));
    }
    return out;
}

void write_certificate(view::JsonWriter& json, const crypto::CertificateFacts& facts, Instant now) {
    json.open_object();
    json.member("subject", std::string_view{facts.subject});
    json.member("issuer", std::string_view{facts.issuer});
    json.member("serial", std::string_view{facts.serial});
    json.member("sha256", std::string_view{facts.fingerprint});
    json.member("not_before", std::string_view{to_rfc3339(facts.not_before)});
    json.member("not_after", std::string_view{to_rfc3339(facts.not_after)});
    json.member("days_left", static_cast<std::int64_t>((facts.not_after - now).seconds() / 86400));
    json.member("key", std::string_view{facts.key});
    json.member("signature", std::string_view{facts.signature});
    json.member("ca", facts.is_ca);
    json.member("self_issued", facts.self_issued);
    json.key("names");
    write_texts(json, facts.names);
    json.key("key_usage");
    write_texts(json, facts.key_usages);
    json.key("purposes");
    write_texts(json, facts.purposes);
    json.key("revocation");
    write_texts(json, facts.revocation);
    write_identity(json, facts);
    json.close_object();
}

void write_verdict(view::JsonWriter& json, const crypto::ChainVerdict& verdict) {
    json.member("good", verdict.good());
    json.member("trusted", verdict.trusted());
    json.member("summary", std::string_view{verdict.summary()});
    json.key("path");
    write_texts(json, verdict.path);
    json.key("faults");
    json.open_array();
    for (const auto& fault : verdict.faults) {
        json.open_object();
        json.member("rule", crypto::to_string(fault.rule));
        json.member("certificate", std::string_view{fault.certificate});
        json.member("what", std::string_view{fault.what});
        json.member_or_null("advice", fault.advice);
        json.close_object();
    }
    json.close_array();
    json.key("notes");
    write_texts(json, verdict.notes);
}

std::expected<Certificates, std::string> load_certificates(const std::string& path) {
    return load(path, crypto::read_certificates);
}
std::expected<std::vector<crypto::CrlPtr>, std::string> load_crls(const std::string& path) {
    return load(path, crypto::read_crls);
}
std::expected<crypto::KeyPtr, std::string> load_key(const std::string& path) {
    return load(path, crypto::read_key);
}

} // namespace cw::cli
