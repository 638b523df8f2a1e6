// Which legs are one call. A B2BUA gives each side its own Call-ID, so legs are joined by evidence,
// and every join says which:
//   exact   a header names the other leg (Session-ID [RFC 7989], X-Call-ID, icid [RFC 7315],
//           Replaces [RFC 3891], Join [RFC 3911], Target-Dialog [RFC 4538], In-Reply-To)
//   scored  the outgoing leg of a box looks like the incoming one: same SDP origin, media key,
//           fingerprint or media address, same users, next hop adjacent, started right after it
// Scored evidence must add up to `threshold`, and two legs over the same hop are never joined by
// it: load generators and canned SDP make strangers look like twins. Memory and time per leg are
// constant: a key that many legs share keeps only the latest few.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include "base/address.hpp"
#include "base/time.hpp"

namespace cw::flow {

// What the first INVITE of a leg said. Hashes are 0 where there is nothing to compare.
struct LegStart {
    std::uint32_t slot = 0;
    Instant time;
    Endpoint source;
    Endpoint destination;
    Endpoint sent_by;            // top Via, when it is an address
    std::uint64_t from_user = 0; // hash of the normalised user, see user_key()
    std::uint64_t to_user = 0;
    std::uint64_t origin = 0;      // SDP o=: username, session id, address
    std::uint64_t media_key = 0;   // first a=crypto key
    std::uint64_t fingerprint = 0; // a=fingerprint
    std::uint64_t media = 0;       // address and port of the first media line
};

struct JoinFound {
    std::uint32_t older = 0; // slots
    std::uint32_t newer = 0;
    std::uint8_t score = 0;
    std::string evidence;
};

// A user part made comparable across number rewriting: the last seven digits of a phone number, any
// other name in lower case. 0 for empty and anonymous ones.
std::uint64_t user_key(std::string_view user);
std::uint64_t text_key(std::string_view text);

class Correlator {
  public:
    static constexpr int threshold = 60;

    // Looks for the leg that `start` continues, and remembers `start` for legs to come.
    void on_start(const LegStart& start, std::vector<JoinFound>& found);
    // `slot` carries an identity that another leg may carry too (a Session-ID, an icid).
    void on_identity(std::uint32_t slot, std::string_view what, std::string_view value,
                     std::vector<JoinFound>& found);
    // The leg has got a final answer: nothing starts from it any more.
    void on_final(std::uint32_t slot, Instant time);
    // The leg is closed: all that is kept of it goes.
    void forget(std::uint32_t slot);

    [[nodiscard]] std::size_t size() const { return cards_.size(); }

  private:
    struct Card {
        LegStart start;
        Instant final_answer;
        // Where the leg stands in the indices; mostly one key of each kind of evidence.
        boost::container::small_vector<std::uint64_t, 6> keys;
        std::uint32_t children = 0;
    };
    struct Bucket { // the latest legs under one key
        std::array<std::uint32_t, 4> slots{};
        std::uint8_t count = 0;
    };

    void remember(std::uint64_t key, Card& card);
    [[nodiscard]] int score(const Card& older, const LegStart& newer, std::string* why) const;

    boost::unordered_flat_map<std::uint32_t, Card> cards_;
    boost::unordered_flat_map<std::uint64_t, Bucket> index_;
    std::vector<std::uint32_t> candidates_;
};

} // namespace cw::flow
