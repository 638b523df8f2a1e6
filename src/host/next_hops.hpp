// Where a request for a URI can go [RFC 3263 §4]: from URI to transport, address and port, by
// NAPTR, SRV and address records. The logic alone: it says which records it needs and is given
// them; resolver.hpp asks for them. The order among equals is by weight and chance [RFC 2782].
//
//   NextHops search{uri, false, abilities, random};
//   while (!search.finished()) for each of search.questions(): search.answer(i, records)
//   search.hops()
//
// Not thread-safe. All lists are bounded: answers come from outside.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "server/host_side.hpp"
#include "sip/transport.hpp"
#include "sip/uri.hpp"

namespace cw::host {

// What we could send with.
struct Abilities {
    bool udp = true;
    bool tcp = true;
    bool tls = true;
    bool v4 = true;
    bool v6 = true;
    [[nodiscard]] bool can(sip::Transport transport) const;
};

enum class RecordType : std::uint8_t { Naptr, Srv, A, Aaaa };
struct Question {
    RecordType type = RecordType::A;
    std::string name;
    bool operator==(const Question&) const = default;
};

struct Naptr {
    std::uint16_t order = 0;
    std::uint16_t preference = 0;
    std::string flags;
    std::string service;
    std::string replacement;
};
struct Srv {
    std::uint16_t priority = 0;
    std::uint16_t weight = 0;
    std::uint16_t port = 0;
    std::string target;
};
// An answer; empty when there is none of the kind, or nobody answered.
struct Records {
    bool no_such_name = false; // nor is there anything below it
    bool silent = false;       // nobody answered
    std::vector<Naptr> naptr;
    std::vector<Srv> srv;
    std::vector<IpAddress> addresses;
};

class NextHops {
  public:
    static constexpr std::size_t most_services = 8;
    static constexpr std::size_t most_targets = 16;
    static constexpr std::size_t most_hops = 32;
    // A number from 0 to `below` - 1, evenly.
    using Random = std::function<std::uint32_t(std::uint32_t below)>;

    // `secure`: by TLS alone, as if the URI were a sips one.
    NextHops(std::string_view uri, bool secure, const Abilities& abilities, Random random);

    [[nodiscard]] bool finished() const { return stage_ == Stage::Done; }
    // All that is needed now; the next are known when each has been answered.
    [[nodiscard]] std::span<const Question> questions() const { return questions_; }
    void answer(std::size_t question, Records records);
    // In the order in which they are to be tried; empty: nowhere.
    [[nodiscard]] std::vector<server::Hop> take_hops() { return std::move(hops_); }
    // Why there are none, for the log.
    [[nodiscard]] const char* why() const { return why_; }

  private:
    enum class Stage : std::uint8_t { Naptr, Srv, Addresses, Done };
    struct Service { // an SRV name, and what speaks there
        sip::Transport transport = sip::Transport::Udp;
        std::string name;
    };
    struct Target { // a host that has to become addresses
        sip::Transport transport = sip::Transport::Udp;
        std::string name;
        std::uint16_t port = 0;
    };

    void begin(const sip::Uri& uri);
    void ask_services();
    void ask_addresses();
    void advance();
    bool hopeless();
    void use_naptr();
    void use_srv();
    void use_addresses();
    void default_services();
    void default_target();
    void add_service(sip::Transport transport, std::string name);
    void add_by_weight(std::vector<Srv> srv, sip::Transport transport);
    void add_hop(sip::Transport transport, const IpAddress& address, std::uint16_t port);
    void give_up(const char* why);

    Abilities abilities_;
    Random random_;
    std::string domain_;                             // of the URI: what the certificate must say
    std::string host_;                               // what is looked for: maddr, or the same
    sip::Transport transport_ = sip::Transport::Udp; // when no record says otherwise
    bool chosen_ = false;                            // transport_ is the URI's
    bool secure_ = false;                            // sips
    std::uint16_t port_ = 0;
    Stage stage_ = Stage::Done;
    bool silence_ = false; // at the question before
    const char* why_ = "";
    std::vector<Question> questions_;
    std::vector<Records> answers_;
    std::size_t missing_ = 0;
    std::vector<Service> services_;
    std::vector<Target> targets_;
    std::vector<server::Hop> hops_;
};

} // namespace cw::host
