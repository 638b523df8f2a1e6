// Settings made ready for looking things up: users, domains, trunks and listeners by name.
// Immutable.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/hash.hpp"
#include "crypto/digest.hpp"
#include "server/settings.hpp"
#include "sip/uri.hpp"
#include "transaction/wire.hpp"

namespace cw::server {

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return hash_bytes(text); }
};
struct TextEqual {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};
template <class T>
using ByText = boost::unordered_flat_map<std::string, T, TextHash, TextEqual>;

struct DomainEntry {
    const Domain* domain = nullptr;
    ByText<const User*> users;

    // nullptr: nobody of that name. `name` without escapes.
    [[nodiscard]] const User* find_user(std::string_view name) const;
    // By which algorithms this user can be known, strongest first: those that there is a hash for,
    // MD5 only where the domain allows it. Without those that would make a phone of this User-Agent
    // give up (known_phones.hpp), unless nothing would be left. Of somebody unknown (nullptr): what
    // the others of the domain have.
    [[nodiscard]] std::vector<crypto::DigestAlgorithm>
    algorithms(const User* user, std::string_view user_agent = {}) const;
};

// H(user:realm:password) of this algorithm; empty: not known.
std::string_view hash_of(const User& user, crypto::DigestAlgorithm algorithm);

// How this server names itself on one listener.
struct Place {
    std::uint8_t number = 0;
    const Listener* listener = nullptr;
    std::string via_start; // "SIP/2.0/TLS proxy.example.com:5061;branch="
    std::string uri_end;   // "@proxy.example.com:5061;transport=tls;lr>"
    std::string host_port; // "proxy.example.com:5061"
};

class Directory {
  public:
    explicit Directory(std::shared_ptr<const Settings> settings);

    [[nodiscard]] const Settings& settings() const { return *settings_; }

    // `host` in any case; nullptr: not ours.
    [[nodiscard]] const DomainEntry* find_domain(std::string_view host) const;
    // The trunk for this very domain; nullptr if none.
    [[nodiscard]] const Trunk* find_trunk(std::string_view host) const;
    [[nodiscard]] const Trunk* default_trunk() const { return default_trunk_; } // "*"
    // Does the URI name this server itself, by a listener's host and port, or by a domain of ours?
    // A user part makes no difference.
    [[nodiscard]] bool is_us(const sip::Uri& uri) const;
    // Does it name one of our listeners?
    [[nodiscard]] bool is_listener(const sip::Uri& uri) const;

    // The listener that a wire belongs to, or the nearest that can be reached over its transport;
    // nullptr when we do not listen on that transport.
    [[nodiscard]] const Place* place_of(const transaction::Wire& wire) const;
    [[nodiscard]] const Place* place_of(sip::Transport transport) const;
    [[nodiscard]] const Place* place(std::uint8_t number) const;

  private:
    std::shared_ptr<const Settings> settings_;
    ByText<DomainEntry> domains_;
    ByText<const Trunk*> trunks_;
    const Trunk* default_trunk_ = nullptr;
    std::vector<Place> places_;
};

// A host's name in lower case in a buffer of its own; empty when it is too long to be one.
class LowerHost {
  public:
    explicit LowerHost(std::string_view host);
    [[nodiscard]] std::string_view text() const { return {text_, size_}; }

  private:
    char text_[256];
    std::size_t size_ = 0;
};

std::uint16_t default_port(sip::Transport transport);
// "TLS", "UDP"… as Via writes it.
std::string_view via_word(sip::Transport transport);

} // namespace cw::server
