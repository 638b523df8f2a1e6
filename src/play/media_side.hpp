// One party's media in one call: its offers and answers, and the stream that they have settled.
// No I/O. Belongs to Sound.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "dialog/audio_description.hpp"
#include "dialog/media_plan.hpp"
#include "play/state.hpp"
#include "rtp/media_session.hpp"

namespace cw::play {

// A server that plays to those who wait has music; everybody else his own tone.
bool is_musical(const script::Party& party);

class MediaSide {
  public:
    MediaSide(PartyId owner, CallId in, const MediaPlace& at, const Member& member, bool musical,
              std::uint64_t chance);

    // Nothing will be said with its keys: they need not be secret, and come again with the same
    // names. `names` outlives it.
    void draw_keys_from(dialog::Identifiers& names) { names_ = &names; }
    // Offers what the facts ask for; or answers the offer that waits. Empty when it cannot.
    std::string offer(const script::Facts& facts, bool secure);
    std::string answer(const script::Facts& facts);
    void take_offer(std::string_view text);
    void take_answer(std::string_view text, Instant now);
    void forget_offer();
    // The answer that was written goes out: from now on it holds.
    void settle(Instant now);
    void stop(Instant now, std::vector<rtp::MediaPacket>& out);
    // The answer that was given last, for a message that repeats it.
    [[nodiscard]] const std::string& local() const { return local_; }
    [[nodiscard]] const std::string& remote() const { return remote_; }
    [[nodiscard]] bool offer_waits() const { return !their_offer_.empty(); }
    [[nodiscard]] bool has_offered() const { return !own_offer_.empty(); }
    [[nodiscard]] bool agreed() const { return agreed_ && !stopped_; }
    [[nodiscard]] const std::string& problem() const { return problem_; }
    // Its keys come from a handshake that has yet to be asked for.
    [[nodiscard]] bool wants_dtls() const { return wants_dtls_; }
    void dtls_asked() { wants_dtls_ = false; }
    void take_keys(const DtlsKeys& keys, Instant now);
    [[nodiscard]] dialog::MediaProtection protection() const { return own_.protection; }

    PartyId party;
    CallId call;
    MediaPlace place;
    rtp::MediaSession session;
    dialog::MediaPlan plan;
    std::uint64_t agreement = 0; // counts up with each that anybody reaches
    std::size_t digits_read = 0;

    // What had been heard when something began.
    struct Mark {
        rtp::ToneListener listener;
        std::uint64_t packets = 0;
        std::int64_t lost = 0;
    };
    [[nodiscard]] Mark mark() const;
    std::map<StepId, Mark> marks;
    // The stream of the peer that has brought most lately; nullptr: nothing came.
    [[nodiscard]] const rtp::ReceivedStream* stream() const;

  private:
    void agree(bool we_offered, Instant now);
    void settle_direction(const script::Facts& facts, bool answers);
    void choose_keys(const script::Facts& facts);
    void speak(bool aloud);
    void configure(Instant now);
    bool use_keys();

    dialog::AudioDescription own_;
    dialog::Identifiers* names_ = nullptr; // null: keys are secret
    std::string own_offer_;
    std::string their_offer_;
    std::string local_;
    std::string remote_;
    std::string problem_; // why offer and answer do not fit
    bool agreed_ = false;
    bool stopped_ = false;
    bool written_ = false;
    bool musical_ = false; // goes on to play while it holds the other
    bool wants_dtls_ = false;
    std::optional<DtlsKeys> keys_; // of DTLS
};

} // namespace cw::play
