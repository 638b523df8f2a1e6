// What many calls have in common: the same fault in how many of them and where, calls that end at
// fixed lengths, the measures of RFC 6076, TLS by peer. Fed call by call; memory grows with peers
// and, eight bytes each, with calls. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flow/call.hpp"

namespace cw::flow {

// One rule over all calls.
struct FaultCount {
    std::string severity; // the gravest
    std::string title;
    std::uint64_t calls = 0;
    std::uint64_t consequences = 0; // calls of those in which another finding brought it about
    Instant first;                  // of a call that has it
    Instant last;
    std::map<std::string, std::uint64_t> peers; // address of the side that was asked → calls
};

// Calls that ended after the same time.
struct LengthCluster {
    double seconds = 0; // their median
    std::uint64_t calls = 0;
    std::uint64_t by_caller = 0; // of these the caller hung up
};

// TLS of one server.
struct TlsPeer {
    std::uint64_t connections = 0;
    std::uint64_t failed = 0; // the handshake was not completed
    std::uint64_t resumed = 0;
    std::uint64_t mutual = 0;
    std::map<std::string, std::uint64_t> versions;
    std::map<std::string, std::uint64_t> ciphers;
};

// Of delays in seconds.
struct Delays {
    std::uint64_t count = 0;
    double median = 0;
    double p95 = 0;
    double most = 0;
};

// Sessions as RFC 6076 counts them: calls whose INVITE was seen to get a final response, or to be
// given up.
struct Sessions {
    std::uint64_t asked = 0;
    std::uint64_t answered = 0;
    std::uint64_t challenged = 0; // ended by 401, 402 or 407
    std::uint64_t redirected = 0;
    std::uint64_t refused = 0;     // 480, 486, 600, 603: by the called side
    std::uint64_t ineffective = 0; // 408, 500, 503, 504, or no answer at all
    std::uint64_t completed = 0;   // answered, and ended by a BYE that was answered
    std::uint64_t registrations = 0;
    std::uint64_t registrations_failed = 0;

    // Shares, 0 to 1; −1 when there is nothing to divide by.
    [[nodiscard]] double answer_seizure() const { return share(answered, asked); } // ITU-T E.411
    [[nodiscard]] double ser() const { return share(answered, attempts()); }       // §4.6
    [[nodiscard]] double seer() const { return share(answered + refused, attempts()); }     // §4.7
    [[nodiscard]] double isa() const { return share(ineffective, asked); }                  // §4.8
    [[nodiscard]] double scr() const { return share(completed, asked); }                    // §4.9
    [[nodiscard]] double ira() const { return share(registrations_failed, registrations); } // §4.2

  private:
    static double share(std::uint64_t part, std::uint64_t whole) {
        return whole == 0 ? -1 : static_cast<double>(part) / static_cast<double>(whole);
    }
    [[nodiscard]] std::uint64_t attempts() const { return asked - challenged - redirected; }
};

class Statistics {
  public:
    static constexpr std::size_t most_peers = 1000; // of one kind; further ones are "others"

    void add(const Call& call);
    void add(const Connection& connection); // each once

    [[nodiscard]] std::uint64_t calls() const { return calls_; } // of every kind
    [[nodiscard]] const std::map<std::string, std::uint64_t>& kinds() const { return kinds_; }
    [[nodiscard]] const std::map<std::string, std::uint64_t>& states() const { return states_; }
    [[nodiscard]] const Sessions& sessions() const { return sessions_; }
    // By rule id.
    [[nodiscard]] const std::map<std::string, FaultCount>& faults() const { return faults_; }
    // By address and port of the server.
    [[nodiscard]] const std::map<std::string, TlsPeer>& tls() const { return tls_; }
    // Of all that were answered and are over: lengths at which more of them ended than chance
    // explains, the most frequent first.
    [[nodiscard]] std::vector<LengthCluster> clusters() const;
    [[nodiscard]] Delays ringing() const { return of(ringing_); }         // SRD, §4.3.1
    [[nodiscard]] Delays failing() const { return of(failing_); }         // SRD of failures, §4.3.2
    [[nodiscard]] Delays registering() const { return of(registering_); } // RRD, §4.1
    [[nodiscard]] Delays hanging_up() const { return of(hanging_up_); }   // SDD, §4.4
    [[nodiscard]] Delays lengths() const;                                 // SDT, §4.5

  private:
    struct Length {
        float seconds = 0;
        bool by_caller = false;
    };
    static Delays of(std::vector<float> values);
    void count_session(const Call& call);
    void count_registration(const Call& call);
    void count_findings(const Call& call);

    std::uint64_t calls_ = 0;
    Sessions sessions_;
    std::map<std::string, std::uint64_t> kinds_;
    std::map<std::string, std::uint64_t> states_; // of calls
    std::map<std::string, FaultCount> faults_;
    std::map<std::string, TlsPeer> tls_;
    std::vector<Length> lengths_;
    std::vector<float> ringing_;
    std::vector<float> failing_;
    std::vector<float> registering_;
    std::vector<float> hanging_up_;
};

} // namespace cw::flow
