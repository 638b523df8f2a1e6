// Asks DNS, without waiting: a guest of the loop, on c-ares. Answers are kept for as long as they
// may be, "no" too [RFC 2308]; who asks what another is asking shares its answer. What the records
// mean is for others. One thread, the loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "net/dns_message.hpp"
#include "net/loop.hpp"

struct ares_channeldata;

namespace cw::net {

struct DnsSettings {
    std::string servers;                   // "192.0.2.1,192.0.2.2:5353"; empty: those of the system
    std::string hosts_file = "/etc/hosts"; // its names are not asked for; empty: none
    Duration timeout = seconds(2);         // of the first try; the next takes twice as long
    int tries = 2;                         // of each server
    std::size_t cached = 10'000;           // answers
    std::size_t in_flight = 1000;          // beyond these a question fails at once
    Duration longest = seconds(86'400);    // that an answer is kept
    Duration failure = seconds(5);         // that a failure is
};

class Dns final : private Guest {
  public:
    using Callback = std::function<void(const DnsAnswer&)>;
    using Id = std::uint64_t;

    // `loop` outlives it. Questions that are open when it goes are not answered.
    Dns(Loop& loop, const DnsSettings& settings);
    ~Dns() override;
    Dns(const Dns&) = delete;
    Dns& operator=(const Dns&) = delete;

    // Calls back once: within query() when nothing has to be asked (the result is 0 then), else
    // from a turn of the loop. The callback may call query() and cancel().
    Id query(std::string_view name, DnsType type, Callback callback);
    // It is not called back any more.
    void cancel(Id id);
    // Nothing is asked any more, and nobody answered; in the loop's thread, which has opened the
    // descriptors.
    void close();

    [[nodiscard]] std::size_t cached() const { return cache_.size(); }
    [[nodiscard]] std::size_t in_flight() const { return questions_.size(); }

  private:
    struct Question;
    struct Kept {
        DnsAnswer answer;
        Instant until;
    };
    struct FreeChannel {
        void operator()(ares_channeldata* channel) const;
    };

    void on_ready(int fd, bool input, bool output) override;
    Instant next_deadline() override { return next_; }
    void on_deadline(Instant now) override;

    void read_hosts(const std::string& path);
    [[nodiscard]] const DnsAnswer* known(const std::string& name, DnsType type);
    void ask(Question& question);
    void answered(Question& question, const DnsAnswer& answer);
    void keep(const std::string& key, const DnsAnswer& answer);
    void look_at_clock();

    Loop& loop_;
    DnsSettings settings_;
    std::unique_ptr<ares_channeldata, FreeChannel> channel_;
    Instant next_; // when c-ares wants to look at its questions
    Id last_ = 0;
    // By type and name.
    boost::unordered_flat_map<std::string, std::unique_ptr<Question>> questions_;
    std::vector<Question*> answering_; // whose callbacks are being called
    boost::unordered_flat_map<std::string, Kept> cache_;
    boost::unordered_flat_map<std::string, DnsAnswer> hosts_;
};

} // namespace cw::net
