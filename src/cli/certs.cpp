// callwright certs: a small CA for SIP, and a verifier that explains.
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.hpp"
#include "cli/certificate_text.hpp"
#include "cli/commands.hpp"
#include "crypto/ca_directory.hpp"
#include "crypto/chain.hpp"
#include "view/cells.hpp"

namespace cw::cli {
namespace {

constexpr const char* description =
    "A small CA for SIP, whose certificates say what RFC 5922 reads, and a verifier that explains.";

constexpr const char* footer = R"(
Examples:
  callwright certs init                                   makes ca/ca.pem and ca/ca.key
  callwright certs issue example.com sip.example.com      one certificate for both names
  callwright certs show ca/example.com.pem
  callwright certs check server.pem --for sip:example.com --ca ca/ca.pem

See docs/certificates.md when a peer says "unknown ca".
Exit status: 0 all is well, 1 check: it does not verify, 2 usage, 3 a file could not be used.)";

struct CommonOptions {
    std::string directory = "ca";
    std::string format = "text";
    bool force = false;

    [[nodiscard]] bool json() const { return format == "json"; }
    [[nodiscard]] crypto::IfThere if_there() const {
        return force ? crypto::IfThere::Replace : crypto::IfThere::Refuse;
    }
};

void add_directory(CLI::App& command, CommonOptions& options) {
    command.add_option("--dir", options.directory, "the CA's directory")->capture_default_str();
}
void add_format(CLI::App& command, CommonOptions& options) {
    command.add_option("--format", options.format, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
}

int report(const crypto::CaFailure& failure, std::string_view advice = {}) {
    fmt::print(stderr, "callwright: certs: {}: {}{}{}\n", view::printable(failure.where),
               failure.why, advice.empty() ? "" : "; ", advice);
    return failure.code == Code::Usage && failure.why != "is there already" ? BadUsage : BadInput;
}
int report_there(const crypto::CaFailure& failure) {
    return report(failure, failure.why == "is there already" ? "--force replaces it" : "");
}
int report(const std::string& where_and_why) {
    fmt::print(stderr, "callwright: certs: {}\n", view::printable(where_and_why));
    return BadInput;
}
int report_usage(std::string_view what, std::string_view value, std::string_view why) {
    fmt::print(stderr, "callwright: certs: {} {}: {}\n", what, view::printable(value), why);
    return BadUsage;
}

void print(view::JsonWriter& json) {
    fmt::print("{}\n", json.text());
}

crypto::CaResult<crypto::CaDirectory> open_directory(const CommonOptions& options) {
    return crypto::CaDirectory::open(options.directory);
}
int report_no_ca(const crypto::CaFailure& failure) {
    return report(failure, failure.code == Code::NotFound ? "'callwright certs init' makes a CA"
                                                          : std::string_view{});
}

// ---- init

struct InitOptions : CommonOptions {
    std::string name = "Callwright CA";
    int days = 3650;
    bool rsa = false;
};

int init(const InitOptions& options) {
    const auto now = wall_clock();
    const auto ca = crypto::CaDirectory::create(
        options.directory,
        {.name = options.name,
         .validity = crypto::valid_for(now, options.days),
         .kind = options.rsa ? crypto::KeyKind::Rsa2048 : crypto::KeyKind::EcdsaP256},
        options.if_there());
    if (!ca) {
        return report_there(ca.error());
    }
    const auto facts = crypto::describe(ca->ca().certificate.get());
    if (options.json()) {
        view::JsonWriter json;
        json.open_object();
        json.member("certificate", std::string_view{ca->ca_file()});
        json.member("key", std::string_view{options.directory + "/ca.key"});
        json.key("facts");
        write_certificate(json, facts, now);
        json.close_object();
        print(json);
        return Good;
    }
    fmt::print("{}: a CA named {}, {}\n"
               "  {}: give it to all who are to trust what this CA issues\n"
               "  {}: keep it to yourself (mode 0600)\n"
               "next: callwright certs issue NAME{}\n",
               options.directory, view::printable(options.name),
               crypto::validity_in_words(facts.not_before, facts.not_after, now), ca->ca_file(),
               options.directory + "/ca.key",
               options.directory == "ca" ? "" : " --dir " + options.directory);
    return Good;
}

void add_init(CLI::App& certs, std::vector<std::pair<CLI::App*, Command>>& commands) {
    auto options = std::make_shared<InitOptions>();
    auto* command = certs.add_subcommand("init", "makes a CA: a key and a self-signed certificate");
    command->footer("\nExamples:\n"
                    "  callwright certs init\n"
                    "  callwright certs init --dir lab --name 'Lab CA' --days 30\n\n"
                    "The CA signs with ECDSA P-256; --rsa is for phones that know nothing else.");
    add_directory(*command, *options);
    command->add_option("--name", options->name, "what the CA is called")->capture_default_str();
    command->add_option("--days", options->days, "how long it is good")
        ->check(CLI::Range(1, 36500))
        ->capture_default_str();
    command->add_flag("--rsa", options->rsa, "RSA 2048 instead of ECDSA P-256");
    command->add_flag("--force", options->force,
                      "replace a CA that is there; what it issued is worth nothing then");
    add_format(*command, *options);
    commands.emplace_back(command, [options] { return init(*options); });
}

// ---- issue

struct IssueOptions : CommonOptions {
    std::vector<std::string> names;
    std::vector<std::string> users;
    std::string from;
    int days = 365;
    bool rsa = false;
    bool sip_domain = false;
    bool smime = false;
    std::vector<std::string> purposes;
    std::string ocsp_url;
    std::string crl_url;
};

// Those that --eku names, and no others. False when one is not known.
bool set_purposes(const std::vector<std::string>& names, crypto::LeafSpec& spec) {
    using Purpose = bool crypto::LeafSpec::*;
    constexpr std::array known{
        std::pair{std::string_view{"serverAuth"}, Purpose{&crypto::LeafSpec::server_auth}},
        std::pair{std::string_view{"clientAuth"}, Purpose{&crypto::LeafSpec::client_auth}},
        std::pair{std::string_view{"sipDomain"}, Purpose{&crypto::LeafSpec::sip_domain}},
        std::pair{std::string_view{"emailProtection"},
                  Purpose{&crypto::LeafSpec::email_protection}},
        std::pair{std::string_view{"any"}, Purpose{&crypto::LeafSpec::any_purpose}},
    };
    for (const auto& [name, purpose] : known) {
        spec.*purpose = false;
    }
    return std::ranges::all_of(names, [&](const std::string& wanted) {
        for (const auto& [name, purpose] : known) {
            if (iequals(name, wanted)) {
                return spec.*purpose = true;
            }
        }
        return wanted == "none";
    });
}

void print_issued(const IssueOptions& options, const crypto::CaDirectory& ca,
                  const crypto::IssuedFiles& issued, const crypto::CertificateFacts& facts,
                  Instant now) {
    if (options.json()) {
        view::JsonWriter json;
        json.open_object();
        json.member("certificate", std::string_view{issued.certificate});
        json.member("key", std::string_view{issued.key});
        json.member("ca", std::string_view{ca.ca_file()});
        json.key("facts");
        write_certificate(json, facts, now);
        json.close_object();
        print(json);
        return;
    }
    fmt::print("{}: {}\n", issued.certificate,
               crypto::validity_in_words(facts.not_before, facts.not_after, now));
    for (const auto& line : identity_lines(facts)) {
        fmt::print("  speaks for {}\n", view::printable(line));
    }
    fmt::print("  its key is {} (mode 0600); peers have to trust {}\n", issued.key, ca.ca_file());
}

int issue(const IssueOptions& options) {
    const auto now = wall_clock();
    crypto::LeafSpec spec;
    auto names = options.names;
    names.insert(names.end(), options.users.begin(), options.users.end());
    for (const auto& name : names) {
        if (auto r = crypto::add_name(name, spec); !r) {
            return report_usage("issue", name, r.error().what);
        }
    }
    if (names.empty()) {
        return report_usage("issue", "NAME", "which name is it to speak for?");
    }
    auto begin = now;
    if (!options.from.empty()) {
        const auto from = parse_date(options.from);
        if (!from) {
            return report_usage("--from", options.from, "not a date like 2026-05-01");
        }
        begin = *from;
    }
    spec.validity = crypto::valid_for(begin, options.days);
    spec.kind = options.rsa ? crypto::KeyKind::Rsa2048 : crypto::KeyKind::EcdsaP256;
    spec.sip_domain = options.sip_domain;
    spec.email_protection = options.smime;
    spec.server_auth = spec.client_auth = !options.smime;
    if (!options.purposes.empty() && !set_purposes(options.purposes, spec)) {
        return report_usage("--eku", fmt::format("{}", fmt::join(options.purposes, ",")),
                            "serverAuth, clientAuth, sipDomain, emailProtection, any and none are "
                            "known");
    }
    spec.ocsp_url = options.ocsp_url;
    spec.crl_url = options.crl_url;
    auto ca = open_directory(options);
    if (!ca) {
        return report_no_ca(ca.error());
    }
    const auto issued = ca->issue(spec, options.if_there());
    if (!issued) {
        return report_there(issued.error());
    }
    const auto made = load_certificates(issued->certificate);
    if (!made) {
        return report(made.error());
    }
    print_issued(options, *ca, *issued, crypto::describe(made->front().get()), now);
    return Good;
}

void add_issue(CLI::App& certs, std::vector<std::pair<CLI::App*, Command>>& commands) {
    auto options = std::make_shared<IssueOptions>();
    auto* command =
        certs.add_subcommand("issue", "issues a certificate: DIR/NAME.pem and DIR/NAME.key");
    command->footer(
        "\nExamples:\n"
        "  callwright certs issue example.com\n"
        "  callwright certs issue localhost 127.0.0.1 ::1\n"
        "  callwright certs issue alice@example.com          a person, for a phone's TLS\n"
        "  callwright certs issue alice@example.com --smime  a person, to sign and read bodies\n"
        "  callwright certs issue example.com --eku sipDomain,serverAuth\n"
        "  callwright certs issue example.com --ocsp-url http://ca.example.com:8888 --crl-url "
        "http://ca.example.com/crl.pem\n"
        "  callwright certs issue old.example --from 2020-01-01 --days 30    expired, for a "
        "test\n\n"
        "A domain is written as sip URI and as DNS name, an address as iPAddress. Wildcards do "
        "not\n"
        "count in SIP (RFC 5922 section 7.2) and are not issued.");
    command->add_option("NAME", options->names, "domains, addresses, user@domain");
    command->add_option("--user", options->users, "a user that it speaks for too (repeatable)");
    add_directory(*command, *options);
    command->add_option("--days", options->days, "how long it is good")
        ->check(CLI::Range(1, 36500))
        ->capture_default_str();
    command->add_option("--from", options->from, "good from this date on, instead of now");
    command->add_flag("--rsa", options->rsa, "RSA 2048 instead of ECDSA P-256");
    command->add_flag("--sip-domain", options->sip_domain,
                      "with the extended key usage sipDomain (RFC 5924) too");
    command->add_flag("--smime", options->smime,
                      "for signed and encrypted bodies alone: emailProtection, not TLS");
    command
        ->add_option("--eku", options->purposes,
                     "exactly these extended key usages: serverAuth, clientAuth, sipDomain, "
                     "emailProtection, any; or none")
        ->delimiter(',');
    command->add_option("--ocsp-url", options->ocsp_url,
                        "where a responder of the CA is asked whether it is revoked, http://…");
    command->add_option("--crl-url", options->crl_url,
                        "where the CA's revocation list is fetched, http://…");
    command->add_flag("--force", options->force, "replace what was issued for NAME before");
    add_format(*command, *options);
    commands.emplace_back(command, [options] { return issue(*options); });
}

// ---- show

struct ShowOptions : CommonOptions {
    std::vector<std::string> files;
};

int show(const ShowOptions& options) {
    const auto now = wall_clock();
    view::JsonWriter json;
    json.open_object();
    json.key("certificates");
    json.open_array();
    bool first = true;
    for (const auto& file : options.files) {
        const auto certificates = load_certificates(file);
        if (!certificates) {
            return report(certificates.error());
        }
        for (std::size_t i = 0; i < certificates->size(); ++i) {
            const auto facts = crypto::describe((*certificates)[i].get());
            if (options.json()) {
                write_certificate(json, facts, now);
                continue;
            }
            fmt::print("{}{}: {}{}\n{}", first ? "" : "\n", file, view::printable(facts.name),
                       certificates->size() == 1
                           ? std::string{}
                           : fmt::format(" ({} of {})", i + 1, certificates->size()),
                       certificate_text(facts, now, 2));
            first = false;
        }
    }
    json.close_array();
    json.close_object();
    if (options.json()) {
        print(json);
    }
    return Good;
}

void add_show(CLI::App& certs, std::vector<std::pair<CLI::App*, Command>>& commands) {
    auto options = std::make_shared<ShowOptions>();
    auto* command = certs.add_subcommand(
        "show", "shows every certificate of PEM and DER files, and whom it speaks for in SIP");
    command->footer("\nExamples:\n"
                    "  callwright certs show server.pem\n"
                    "  callwright certs show server.pem --format json");
    command->add_option("FILE", options->files, "PEM or DER")->required();
    add_format(*command, *options);
    commands.emplace_back(command, [options] { return show(*options); });
}

// ---- check

struct CheckOptions : CommonOptions {
    std::string file;
    std::string expected;
    std::vector<std::string> trusted;
    std::string crl;
    std::string key;
    std::string at;
    std::string policy = "server";
    std::string role = "server";
    bool wildcards = false;
    bool allow_weak = false;
    bool system = false;
};

struct Trust {
    Certificates certificates;
    std::string words; // "ca/ca.pem and the system's CAs"
    bool system = false;
};

// Without --ca: the CA in --dir, where there is one, and those of the system.
std::expected<Trust, std::string> load_trust(const CheckOptions& options) {
    Trust trust;
    auto files = options.trusted;
    trust.system = options.system || files.empty();
    std::error_code ignored;
    if (files.empty() && std::filesystem::exists(options.directory + "/ca.pem", ignored)) {
        files.push_back(options.directory + "/ca.pem");
    }
    for (const auto& file : files) {
        auto loaded = load_certificates(file);
        if (!loaded) {
            return std::unexpected{loaded.error()};
        }
        for (auto& certificate : *loaded) {
            trust.certificates.push_back(std::move(certificate));
        }
        trust.words += (trust.words.empty() ? "" : ", ") + file;
    }
    if (trust.system) {
        trust.words += trust.words.empty() ? "the system's CAs" : " and the system's CAs";
    }
    return trust;
}

crypto::PurposePolicy policy_of(const std::string& name) {
    return name == "strict"  ? crypto::PurposePolicy::Strict
           : name == "role"  ? crypto::PurposePolicy::ByRole
           : name == "any"   ? crypto::PurposePolicy::Ignore
           : name == "smime" ? crypto::PurposePolicy::Smime
                             : crypto::PurposePolicy::AcceptServerAuth;
}

void print_check(const CheckOptions& options, const crypto::ChainVerdict& verdict,
                 const crypto::CertificateFacts& facts, const Trust& trust, Instant at) {
    if (options.json()) {
        view::JsonWriter json;
        json.open_object();
        json.member("file", std::string_view{options.file});
        json.member_or_null("for", options.expected);
        json.member("at", std::string_view{to_rfc3339(at)});
        json.member("trusting", std::string_view{trust.words});
        write_verdict(json, verdict);
        json.key("certificate");
        write_certificate(json, facts, at);
        json.close_object();
        print(json);
        return;
    }
    std::string path;
    for (const auto& name : verdict.path) {
        path += (path.empty() ? "" : " ← ") + name;
    }
    fmt::print("{}: {}{}\n", options.file, verdict.good() ? "good" : "does not verify",
               verdict.name.empty() ? "" : ", " + view::printable(verdict.name));
    fmt::print("  {}\n", view::printable(path));
    fmt::print("  trusting {}; {}\n", trust.words,
               crypto::validity_in_words(facts.not_before, facts.not_after, at));
    fmt::print("{}", verdict_text(verdict, 2));
}

int check(const CheckOptions& options) {
    auto at = wall_clock();
    if (!options.at.empty()) {
        const auto date = parse_date(options.at);
        if (!date) {
            return report_usage("--at", options.at, "not a date like 2026-05-01");
        }
        at = *date;
    }
    const auto presented = load_certificates(options.file);
    if (!presented) {
        return report(presented.error());
    }
    const auto trust = load_trust(options);
    if (!trust) {
        return report(trust.error());
    }
    std::vector<crypto::CrlPtr> crls;
    if (!options.crl.empty()) {
        auto loaded = load_crls(options.crl);
        if (!loaded) {
            return report(loaded.error());
        }
        crls = std::move(*loaded);
    }
    auto verdict = crypto::verify_chain(
        {.presented = *presented,
         .trusted = trust->certificates,
         .crls = crls,
         .system_trust = trust->system,
         .accept_weak = options.allow_weak,
         .at = at,
         .expected = options.expected,
         .role = options.role == "client" ? crypto::Role::Client : crypto::Role::Server,
         .identity = {.purposes = policy_of(options.policy), .wildcards = options.wildcards}});
    const auto facts = crypto::describe(presented->front().get());
    if (!options.key.empty()) {
        const auto key = load_key(options.key);
        if (!key) {
            return report(key.error());
        }
        if (!crypto::belong_together(presented->front().get(), key->get())) {
            verdict.faults.insert(verdict.faults.begin(),
                                  {crypto::ChainRule::Other, facts.name,
                                   "the key in " + options.key + " does not belong to it",
                                   "give the key it was issued for, or have it issued again"});
        }
    }
    print_check(options, verdict, facts, *trust, at);
    return verdict.good() ? Good : WorkFailed;
}

void add_check(CLI::App& certs, std::vector<std::pair<CLI::App*, Command>>& commands) {
    auto options = std::make_shared<CheckOptions>();
    auto* command = certs.add_subcommand(
        "check", "would a SIP peer accept this certificate? If not: why, and what to do");
    command->footer(
        "\nExamples:\n"
        "  callwright certs check server.pem --for sip:example.com --ca ca/ca.pem\n"
        "  callwright certs check server.pem --for sip:example.com --at 2027-01-01\n"
        "  callwright certs check trunk.pem --for carrier.example --as client --policy role\n\n"
        "FILE is what the server sends: its own certificate first, then the intermediate CAs.\n"
        "Without --ca, DIR/ca.pem (where it is there) and the system's CAs are trusted.\n"
        "Policies on extended key usage: strict asks for sipDomain (RFC 5924); role for "
        "serverAuth\n"
        "of a server and clientAuth of a client; server takes serverAuth of both, as public CAs\n"
        "now issue it; smime asks for emailProtection, of who signs bodies; any does not look.\n\n"
        "Exit status: 0 it verifies, 1 it does not.");
    command->add_option("FILE", options->file, "PEM or DER")->required();
    command->add_option("--for", options->expected,
                        "the SIP domain, address or user it has to speak for");
    command->add_option("--ca", options->trusted, "PEM with the CAs to trust (repeatable)");
    command->add_flag("--system", options->system, "trust the system's CAs beside --ca");
    command->add_option("--crl", options->crl, "PEM or DER with revocation lists");
    command->add_option("--key", options->key, "does this private key belong to it?");
    command->add_option("--at", options->at, "judge at this date instead of now");
    command->add_option("--as", options->role, "server or client")
        ->check(CLI::IsMember({"server", "client"}))
        ->capture_default_str();
    command->add_option("--policy", options->policy, "strict, role, server, any or smime")
        ->check(CLI::IsMember({"strict", "role", "server", "any", "smime"}))
        ->capture_default_str();
    command->add_flag("--wildcards", options->wildcards, "let *.example.com stand for one label");
    command->add_flag("--allow-weak", options->allow_weak, "accept SHA-1 and short keys");
    add_directory(*command, *options);
    add_format(*command, *options);
    commands.emplace_back(command, [options] { return check(*options); });
}

// ---- revoke

struct RevokeOptions : CommonOptions {
    std::vector<std::string> what;
    int days = 30;
};

int revoke(const RevokeOptions& options) {
    auto ca = open_directory(options);
    if (!ca) {
        return report_no_ca(ca.error());
    }
    std::vector<std::string> serials;
    for (const auto& what : options.what) {
        auto serial = ca->revoke(what, wall_clock(), options.days);
        if (!serial) {
            return report(serial.error());
        }
        serials.push_back(std::move(*serial));
    }
    if (serials.empty()) {
        if (auto r = ca->renew_crl(wall_clock(), options.days); !r) {
            return report(r.error());
        }
    }
    if (options.json()) {
        view::JsonWriter json;
        json.open_object();
        json.member("crl", std::string_view{ca->crl_file()});
        json.key("revoked");
        json.open_array();
        for (const auto& serial : serials) {
            json.value(std::string_view{serial});
        }
        json.close_array();
        json.close_object();
        print(json);
        return Good;
    }
    for (std::size_t i = 0; i < serials.size(); ++i) {
        fmt::print("revoked {} (serial {})\n", view::printable(options.what[i]), serials[i]);
    }
    fmt::print("{}: good for {} days; give it to those who check\n", ca->crl_file(), options.days);
    return Good;
}

void add_revoke(CLI::App& certs, std::vector<std::pair<CLI::App*, Command>>& commands) {
    auto options = std::make_shared<RevokeOptions>();
    auto* command = certs.add_subcommand("revoke", "revokes certificates, and writes DIR/crl.pem");
    command->footer("\nExamples:\n"
                    "  callwright certs revoke old.example.com\n"
                    "  callwright certs revoke 7FA93C0D…       a serial number, as show prints it\n"
                    "  callwright certs revoke                 writes the list anew, before it "
                    "runs out");
    command->add_option("WHAT", options->what, "a NAME, a certificate's file or a serial number");
    command->add_option("--days", options->days, "how long the list is good")
        ->check(CLI::Range(1, 3650))
        ->capture_default_str();
    add_directory(*command, *options);
    add_format(*command, *options);
    commands.emplace_back(command, [options] { return revoke(*options); });
}

} // namespace

Command add_certs(CLI::App& app) {
    auto* certs = app.add_subcommand("certs", description);
    certs->footer(footer);
    certs->require_subcommand(1);
    std::vector<std::pair<CLI::App*, Command>> commands;
    add_init(*certs, commands);
    add_issue(*certs, commands);
    add_show(*certs, commands);
    add_check(*certs, commands);
    add_revoke(*certs, commands);
    return [commands] {
        for (const auto& [subcommand, command] : commands) {
            if (subcommand->parsed()) {
                return command();
            }
        }
        return static_cast<int>(BadUsage);
    };
}

} // namespace cw::cli
