#include "host/stage/wardrobe.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "crypto/certificate.hpp"
#include "crypto/private_file.hpp"

namespace cw::host {

using script::Fault;
using script::PartyId;

namespace {

// "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" as OpenSSL calls it.
std::string openssl_cipher(std::string name) {
    if (!name.starts_with("TLS_")) {
        return name;
    }
    name.erase(0, 4);
    for (const auto& [from, to] :
         {std::pair{"_WITH_", "-"}, std::pair{"AES_128", "AES128"}, std::pair{"AES_256", "AES256"},
          std::pair{"_POLY1305_SHA256", "-POLY1305"}}) {
        if (const auto at = name.find(from); at != std::string::npos) {
            name.replace(at, std::string_view{from}.size(), to);
        }
    }
    for (auto& c : name) {
        c = c == '_' ? '-' : c;
    }
    if (const auto at = name.find("-CBC-"); at != std::string::npos) {
        name.erase(at, 4);
    }
    return name;
}

bool is_suite(std::string_view name) { // of TLS 1.3
    return name.starts_with("TLS_AES_") || name.starts_with("TLS_CHACHA20_");
}

crypto::KeyKind kind_of(std::optional<script::KeyKind> key) {
    if (!key) {
        return crypto::KeyKind::EcdsaP256;
    }
    switch (*key) {
    case script::KeyKind::Rsa:
        return crypto::KeyKind::Rsa2048;
    case script::KeyKind::Ed25519:
        return crypto::KeyKind::Ed25519;
    case script::KeyKind::Ecdsa:
        break;
    }
    return crypto::KeyKind::EcdsaP256;
}

} // namespace

std::expected<std::unique_ptr<Wardrobe>, std::string>
Wardrobe::make(const play::Cast& cast, std::vector<std::vector<std::string>> names,
               std::string folder, Trust trust, Instant now, KeyLog key_log) {
    std::unique_ptr<Wardrobe> made{new Wardrobe(cast, std::move(names), std::move(folder),
                                                std::move(trust), now, std::move(key_log))};
    if (auto opened = made->open(); !opened) {
        return std::unexpected{opened.error()};
    }
    return made;
}

std::expected<void, std::string> Wardrobe::open() {
    std::error_code error;
    auto pattern = (std::filesystem::temp_directory_path(error) / "callwright-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
        return std::unexpected{pattern + ": cannot be created"};
    }
    folder_ = pattern;
    if (!trust_.revoked.empty()) { // TLS reads PEM alone
        constexpr std::size_t most = std::size_t{16} << 20;
        const auto text = crypto::read_whole(trust_.revoked, most);
        const auto lists = text ? crypto::read_crls(*text) : std::unexpected{text.error()};
        if (!lists) {
            return std::unexpected{trust_.revoked + ": " + lists.error().what};
        }
        std::string pem;
        for (const auto& list : *lists) {
            pem += crypto::to_pem(list.get());
        }
        if (auto saved = save("revoked.pem", pem); !saved) {
            return saved;
        }
        trust_.revoked = folder_ + "/revoked.pem";
    }
    return {};
}

// A flow in clear needs none.
std::expected<const crypto::Credential*, std::string>
Wardrobe::authority(crypto::Credential& ca) const {
    if (ca.certificate == nullptr) {
        auto made = crypto::make_ca(
            {.name = "Callwright, this run alone", .validity = crypto::valid_for(now_, 2)});
        if (!made) {
            return std::unexpected{std::string{made.error().what}};
        }
        ca = std::move(*made);
    }
    return &ca;
}

Wardrobe::~Wardrobe() {
    if (!folder_.empty()) {
        std::error_code error;
        std::filesystem::remove_all(folder_, error);
    }
}

std::expected<void, std::string> Wardrobe::save(const std::string& name, const std::string& text) {
    const auto path = folder_ + "/" + name;
    if (auto done = crypto::write_whole(path, text, crypto::for_owner, crypto::IfThere::Replace);
        !done) {
        return std::unexpected{path + ": " + done.error().what};
    }
    return {};
}

bool Wardrobe::trusts_anyone(PartyId party) const {
    const auto& said = cast_.members[party].trusts;
    return said && said->whom == script::Trusts::Whom::Anyone;
}

std::expected<std::string, std::string> Wardrobe::trust_file(PartyId party) {
    if (const auto known = trust_files_.find(party); known != trust_files_.end()) {
        return known->second;
    }
    constexpr std::size_t most = std::size_t{4} << 20;
    const auto& said = cast_.members[party].trusts;
    // For nobody a CA that has issued nothing: an empty file would be an error.
    const bool nobody = said && said->whom == script::Trusts::Whom::Nobody;
    const auto ca = authority(nobody ? stranger_ : ca_);
    if (!ca) {
        return std::unexpected{ca.error()};
    }
    auto pem = crypto::to_pem((*ca)->certificate.get());
    auto files = nobody ? std::vector<std::string>{} : trust_.cas;
    if (said && said->whom == script::Trusts::Whom::File) {
        files.push_back((std::filesystem::path{flow_folder_} / said->file).string());
    }
    for (const auto& file : files) {
        const auto more = crypto::read_whole(file, most);
        if (!more) {
            return std::unexpected{file + ": " + more.error().what};
        }
        pem += "\n" + *more;
    }
    const auto name = fmt::format("trust-{}.pem", party);
    if (auto done = save(name, pem); !done) {
        return std::unexpected{done.error()};
    }
    return trust_files_[party] = folder_ + "/" + name;
}

namespace {

// One that S/MIME is to be signed with and TLS cannot be spoken with: its party has another one
// made for that.
bool is_for_bodies_alone(const std::string& path) {
    constexpr std::size_t most = std::size_t{4} << 20;
    const auto text = crypto::read_whole(path, most);
    const auto found = text ? crypto::read_certificates(*text)
                            : fail(Code::NotFound, 0, "the file cannot be read");
    if (!found) {
        return false; // who loads it says why
    }
    const auto purposes = crypto::describe(found->front().get()).purposes;
    const auto has = [&](const char* name) { return std::ranges::count(purposes, name) != 0; };
    return has("emailProtection") && !has("serverAuth") && !has("clientAuth") &&
           !has("anyExtendedKeyUsage");
}

} // namespace

std::expected<net::CertificateFiles, std::string>
Wardrobe::certificate(PartyId party, std::optional<Fault> fault, crypto::KeyKind kind) {
    const std::tuple key{party, fault ? static_cast<int>(*fault) : -1, static_cast<int>(kind)};
    if (const auto known = issued_.find(key); known != issued_.end()) {
        return known->second;
    }
    const auto& member = cast_.members[party];
    if (!member.certificate.empty() && !fault) {
        const auto path = (std::filesystem::path{flow_folder_} / member.certificate).string();
        if (!is_for_bodies_alone(path)) {
            return net::CertificateFiles{path, path};
        }
    }
    crypto::LeafSpec spec;
    if (fault == Fault::WrongName) {
        spec.domains = {"someone-else.example.net"};
    } else {
        spec.domains = {member.name, member.domain};
        spec.domains.insert(spec.domains.end(), names_[party].begin(), names_[party].end());
        if (member.actor) {
            spec.users = {member.user + "@" + member.domain};
        }
        for (const auto* address : {"127.0.0.1", "::1"}) {
            spec.addresses.push_back(*IpAddress::parse(address));
        }
    }
    spec.validity = crypto::valid_for(now_, 1);
    if (fault == Fault::Expired) {
        spec.validity = {now_ - seconds(3 * 86'400), now_ - seconds(86'400)};
    }
    spec.kind = kind;
    const auto ca = authority(fault == Fault::Untrusted ? stranger_ : ca_);
    if (!ca) {
        return std::unexpected{ca.error()};
    }
    auto issued = crypto::issue(**ca, spec);
    if (!issued) {
        return std::unexpected{member.id + ": no certificate: " + issued.error().what};
    }
    const auto name = fmt::format("{}-{}-{}", party, fault ? static_cast<int>(*fault) : 9,
                                  static_cast<int>(kind));
    for (const auto& [file, text] :
         {std::pair{name + ".pem", crypto::to_pem(issued->certificate.get())},
          std::pair{name + ".key", crypto::to_pem(issued->key.get())}}) {
        if (auto done = save(file, text); !done) {
            return std::unexpected{done.error()};
        }
    }
    const net::CertificateFiles files{folder_ + "/" + name + ".pem", folder_ + "/" + name + ".key"};
    issued_[key] = files;
    return files;
}

std::expected<play::Cast::Bodies, std::string> Wardrobe::bodies() {
    constexpr std::size_t most = std::size_t{4} << 20;
    const auto ca = authority(ca_);
    if (!ca) {
        return std::unexpected{ca.error()};
    }
    play::Cast::Bodies out;
    out.ca = crypto::to_pem((*ca)->certificate.get()) + crypto::to_pem((*ca)->key.get());
    for (const auto& file : trust_.cas) {
        const auto text = crypto::read_whole(file, most);
        if (!text) {
            return std::unexpected{file + ": " + text.error().what};
        }
        out.trusted += *text + "\n";
    }
    for (PartyId party = 0; party < cast_.members.size(); ++party) {
        const auto& file = cast_.members[party].certificate;
        if (file.empty()) {
            continue;
        }
        const auto path = (std::filesystem::path{flow_folder_} / file).string();
        const auto text = crypto::read_whole(path, most);
        if (!text) {
            return std::unexpected{path + ": " + text.error().what};
        }
        out.own[party] = *text;
    }
    return out;
}

// Whom the party trusts and what it shows, wrong in this way if it is to be.
std::expected<net::TlsSettings, std::string>
Wardrobe::settings_of(PartyId party, std::optional<Fault> fault, crypto::KeyKind kind) {
    net::TlsSettings settings;
    auto trust = trust_file(party);
    if (!trust) {
        return std::unexpected{trust.error()};
    }
    settings.trusted = *trust;
    settings.revoked = trust_.revoked;
    settings.key_log = key_log_;
    if (fault != Fault::None) {
        auto files = certificate(party, fault, kind);
        if (!files) {
            return std::unexpected{files.error()};
        }
        settings.certificates = {*files};
    }
    return settings;
}

Wardrobe::Context Wardrobe::client(PartyId party, const play::Handshake& handshake) {
    const auto name =
        fmt::format("c{} {} {} {}", party, handshake.version, handshake.cipher,
                    handshake.own_fault ? static_cast<int>(*handshake.own_fault) : -1);
    if (const auto known = contexts_.find(name); known != contexts_.end()) {
        return known->second;
    }
    const auto& self = cast_.members[party];
    auto begun = settings_of(party, handshake.own_fault ? handshake.own_fault : self.fault,
                             kind_of(self.key));
    if (!begun) {
        return std::unexpected{begun.error()};
    }
    auto& settings = *begun;
    settings.any_server = trusts_anyone(party);
    if (handshake.version != 0) {
        settings.minimum_version = settings.maximum_version =
            static_cast<std::uint16_t>(0x0301 + handshake.version % 10);
    }
    if (is_suite(handshake.cipher)) {
        settings.suites = handshake.cipher;
    } else if (!handshake.cipher.empty()) {
        settings.ciphers = openssl_cipher(handshake.cipher);
    }
    auto context = net::TlsContext::make(net::TlsContext::Role::Client, settings);
    if (context) {
        contexts_[name] = *context;
    }
    return context;
}

Wardrobe::Context Wardrobe::server(PartyId party, const play::Handshake& handshake) {
    const auto& self = cast_.members[party];
    const auto kind = kind_of(handshake.key ? handshake.key : self.key);
    const auto fault = handshake.peer_fault ? handshake.peer_fault : self.fault;
    const auto name = fmt::format("s{} {} {} {}", party, handshake.mutual,
                                  fault ? static_cast<int>(*fault) : -1, static_cast<int>(kind));
    if (const auto known = contexts_.find(name); known != contexts_.end()) {
        return known->second;
    }
    auto begun = settings_of(party, fault, kind);
    if (!begun) {
        return std::unexpected{begun.error()};
    }
    auto& settings = *begun;
    settings.clients =
        handshake.mutual ? net::ClientCertificates::Required : net::ClientCertificates::None;
    auto context = net::TlsContext::make(net::TlsContext::Role::Server, settings);
    if (context) {
        contexts_[name] = *context;
    }
    return context;
}

} // namespace cw::host
