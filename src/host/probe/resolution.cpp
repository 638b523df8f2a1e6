#include "host/probe/resolution.hpp"

#include <random>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/next_hops.hpp"
#include "net/dns.hpp"
#include "net/loop.hpp"

namespace cw::host {
namespace {

using net::DnsAnswer;
using net::DnsType;

// Asks one question after the other, in a loop of its own that has nothing else to do.
class Asker final : private net::Handler {
  public:
    Asker(Duration timeout, const std::string& servers)
        : loop_(*this, {}), dns_(loop_, net::DnsSettings{.servers = servers,
                                                         .hosts_file = "/etc/hosts",
                                                         .timeout = timeout,
                                                         .tries = 1}) {}

    DnsAnswer ask(const std::string& name, DnsType type) {
        bool answered = false;
        DnsAnswer answer;
        dns_.query(name, type, [&](const DnsAnswer& came) {
            answer = came;
            answered = true;
            loop_.stop();
        });
        if (!answered) {
            loop_.run();
        }
        return answer;
    }

  private:
    void on_datagram(std::uint32_t, const Endpoint&, Bytes) override {}
    void on_open(net::Key, const net::ConnectionInfo&) override {}
    void on_bytes(net::Key, Bytes) override {}
    void on_closed(net::Key, std::string_view) override {}
    void on_failed(net::Key, const Endpoint&, bool, std::string_view) override {}
    void on_turn(Instant) override {}
    Instant next_deadline() override { return {}; }

    net::Loop loop_;
    net::Dns dns_;
};

DnsType dns_type(RecordType type) {
    switch (type) {
    case RecordType::Naptr:
        return DnsType::Naptr;
    case RecordType::Srv:
        return DnsType::Srv;
    case RecordType::Aaaa:
        return DnsType::Aaaa;
    case RecordType::A:
        break;
    }
    return DnsType::A;
}

const char* type_name(DnsType type) {
    return type == DnsType::Naptr  ? "NAPTR"
           : type == DnsType::Srv  ? "SRV"
           : type == DnsType::Aaaa ? "AAAA"
                                   : "A";
}

std::string answer_words(const DnsAnswer& answer) {
    switch (answer.status) {
    case DnsAnswer::Status::NoData:
        return "none";
    case DnsAnswer::Status::NoSuchName:
        return "no such name";
    case DnsAnswer::Status::Failed:
        return "no answer from DNS";
    case DnsAnswer::Status::Found:
        break;
    }
    std::vector<std::string> found;
    for (const auto& address : answer.addresses) {
        found.push_back(to_string(address));
    }
    for (const auto& srv : answer.srv) {
        found.push_back(srv.target.empty()
                            ? "decidedly no such service"
                            : fmt::format("{}:{} (priority {}, weight {})", srv.target, srv.port,
                                          srv.priority, srv.weight));
    }
    for (const auto& naptr : answer.naptr) {
        found.push_back(fmt::format("{} by {} (order {}, preference {})", naptr.services,
                                    naptr.replacement, naptr.order, naptr.preference));
    }
    return fmt::format("{}", fmt::join(found, ", "));
}

Records records_of(const DnsAnswer& answer) {
    Records records;
    records.no_such_name = answer.status == DnsAnswer::Status::NoSuchName;
    records.silent = answer.silent;
    records.addresses = answer.addresses;
    for (const auto& srv : answer.srv) {
        records.srv.push_back({srv.priority, srv.weight, srv.port, srv.target});
    }
    for (const auto& naptr : answer.naptr) {
        records.naptr.push_back(
            {naptr.order, naptr.preference, naptr.flags, naptr.services, naptr.replacement});
    }
    return records;
}

class Search {
  public:
    Search(const ProbeTarget& target, Duration timeout, const std::string& servers)
        : target_(target), asker_(timeout, servers) {}

    Resolution run() {
        const bool web =
            target_.transport == sip::Transport::Ws || target_.transport == sip::Transport::Wss;
        web ? look_up_host() : follow_rfc3263();
        if (out_.places.empty() && out_.failure.empty()) {
            out_.failure = "it leads nowhere: no address was found";
        }
        return std::move(out_);
    }

  private:
    DnsAnswer ask(const std::string& name, DnsType type) {
        auto answer = asker_.ask(name, type);
        out_.steps.push_back(fmt::format("{} {}: {}", type_name(type), name, answer_words(answer)));
        return answer;
    }

    // [RFC 7118 §5.5] browsers ask for addresses alone.
    void look_up_host() {
        const auto port = target_.port != 0 ? target_.port : default_port(*target_.transport);
        for (const auto type : {DnsType::A, DnsType::Aaaa}) {
            for (const auto& address : ask(target_.host, type).addresses) {
                out_.places.push_back({*target_.transport, {address, port}});
            }
        }
    }

    void follow_rfc3263() {
        std::mt19937 random{std::random_device{}()}; // weights: nothing secret
        NextHops hops{target_.uri(), target_.secure, {}, [&](std::uint32_t below) {
                          return std::uniform_int_distribution<std::uint32_t>{0, below - 1}(random);
                      }};
        while (!hops.finished()) {
            // A copy: answering may bring the next questions.
            const std::vector<Question> questions{hops.questions().begin(), hops.questions().end()};
            for (std::size_t i = 0; i < questions.size(); ++i) {
                hops.answer(i, records_of(ask(questions[i].name, dns_type(questions[i].type))));
            }
        }
        for (const auto& hop : hops.take_hops()) {
            out_.places.push_back({hop.transport, hop.endpoint});
        }
        if (out_.places.empty()) {
            out_.failure = hops.why();
        }
    }

    const ProbeTarget& target_;
    Asker asker_;
    Resolution out_;
};

} // namespace

Resolution resolve(const ProbeTarget& target, Duration timeout, const std::string& servers) {
    const auto transport =
        target.transport.value_or(target.secure ? sip::Transport::Tls : sip::Transport::Udp);
    const auto port = target.port != 0 ? target.port : default_port(transport);
    Resolution out;
    if (const auto address = IpAddress::parse(target.host)) {
        out.places.push_back({transport, {*address, port}});
        return out;
    }
    if (target.host == "localhost") { // [RFC 6761 §6.3] never a question for DNS
        out.steps.emplace_back("localhost is this machine");
        out.places.push_back({transport, {*IpAddress::parse("127.0.0.1"), port}});
        out.places.push_back({transport, {*IpAddress::parse("::1"), port}});
        return out;
    }
    return Search{target, timeout, servers}.run();
}

} // namespace cw::host
