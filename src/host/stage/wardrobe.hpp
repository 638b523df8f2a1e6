// What the parties of a flow show in TLS handshakes: a CA for this run alone, a certificate for
// each party by RFC 5922, and those that are wrong on purpose. In a temporary folder (mode 0700)
// that dies with it. Contexts are made when they are first asked for. One thread.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/time.hpp"
#include "crypto/ca.hpp"
#include "net/tls.hpp"
#include "play/cast.hpp"
#include "play/wants.hpp"

namespace cw::host {

class Wardrobe {
  public:
    using KeyLog = std::function<void(std::string_view line)>;
    // For all parties, besides the run's own CA.
    struct Trust {
        std::vector<std::string> cas; // PEM files
        std::string revoked;          // revocation lists, PEM or DER; empty: none is asked for
    };
    // `names`: what each party is called in handshakes besides its own name. `folder`: where the
    // files are that the flow names. `cast` outlives it.
    static std::expected<std::unique_ptr<Wardrobe>, std::string>
    make(const play::Cast& cast, std::vector<std::vector<std::string>> names, std::string folder,
         Trust trust, Instant now, KeyLog key_log);
    ~Wardrobe();
    Wardrobe(const Wardrobe&) = delete;
    Wardrobe& operator=(const Wardrobe&) = delete;

    using Context = std::expected<std::shared_ptr<const net::TlsContext>, std::string>;
    Context client(script::PartyId party, const play::Handshake& handshake);
    // As `party` shows itself to who asks for this.
    Context server(script::PartyId party, const play::Handshake& handshake);

    // It takes whatever certificate it is shown.
    [[nodiscard]] bool trusts_anyone(script::PartyId party) const;
    // PEM with the CAs that it trusts.
    std::expected<std::string, std::string> trust_file(script::PartyId party);

    // Paths of the party's good certificate and its key.
    std::expected<net::CertificateFiles, std::string>
    certificate(script::PartyId party, std::optional<script::Fault> fault, crypto::KeyKind kind);
    [[nodiscard]] const std::string& revoked() const { return trust_.revoked; }
    // What signed and encrypted bodies need: the run's CA with its key, more CAs, and the files
    // that parties have. PEM.
    std::expected<play::Cast::Bodies, std::string> bodies();
    [[nodiscard]] const std::string& folder() const { return folder_; }

  private:
    Wardrobe(const play::Cast& cast, std::vector<std::vector<std::string>> names,
             std::string flow_folder, Trust trust, Instant now, KeyLog key_log)
        : cast_(cast), names_(std::move(names)), flow_folder_(std::move(flow_folder)),
          trust_(std::move(trust)), now_(now), key_log_(std::move(key_log)) {}
    std::expected<void, std::string> open();
    std::expected<net::TlsSettings, std::string>
    settings_of(script::PartyId party, std::optional<script::Fault> fault, crypto::KeyKind kind);
    std::expected<const crypto::Credential*, std::string> authority(crypto::Credential& ca) const;
    std::expected<void, std::string> save(const std::string& name, const std::string& text);

    const play::Cast& cast_;
    std::vector<std::vector<std::string>> names_;
    std::string flow_folder_;
    Trust trust_;
    Instant now_;
    KeyLog key_log_;
    std::string folder_;
    crypto::Credential ca_;       // made when it is first asked for, as the next one
    crypto::Credential stranger_; // a CA that nobody trusts
    std::map<std::tuple<script::PartyId, int, int>, net::CertificateFiles> issued_;
    std::map<script::PartyId, std::string> trust_files_;
    std::map<std::string, std::shared_ptr<const net::TlsContext>> contexts_;
};

} // namespace cw::host
