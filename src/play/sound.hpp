// The media of a performance: who has offered and answered what, and what is said and heard over
// the media sockets. Every party says its own marked tone; a listener finds that tone in what it
// has decoded, so "hears bob" is proved on the audio. The State outlives it.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "play/state.hpp"
#include "rtp/media_session.hpp"

namespace cw::play {

class MediaSide;

class Sound {
  public:
    explicit Sound(State& state);
    ~Sound();
    Sound(const Sound&) = delete;
    Sound& operator=(const Sound&) = delete;

    // What a message is, as far as offers and answers go [RFC 3264; RFC 3261 §13.2.1].
    struct Carrier {
        sip::Method method = sip::Method::None; // of the request, or of what is answered
        std::uint16_t status = 0;               // 0: it is the request
        bool secure = false;                    // it goes over TLS
        bool offers = false; // a response to an INVITE without a description [RFC 3264 §4]
    };
    // The session description that a message of `party` carries, by what its facts say and by what
    // is due; empty: none. Fails with a sentence when there should be one and cannot be.
    std::string describe(PartyId party, CallId call, const Carrier& carrier,
                         const script::Facts& facts);
    // `party` got such a message with this body, perhaps empty.
    void received(PartyId party, CallId call, const Carrier& carrier, std::string_view body);
    // The request was refused: what it offered never was.
    void refused(PartyId party, CallId call);
    // The call is over: its streams end.
    void ended(PartyId party, CallId call);
    // What a message's facts say of its description, against the description; `asked`: the body of
    // the request that it answers, empty for a request.
    [[nodiscard]] static std::optional<Difference>
    check(const script::Facts& facts, std::string_view body, std::string_view asked);

    // True when it is done.
    bool perform_media(StepId step, const Arrow& arrow, const script::Media& media);
    bool perform_act(StepId step, const script::Act& act);
    bool perform_dtls(StepId step, const Arrow& arrow);
    void on_dtls(std::uint32_t socket, const DtlsKeys& keys);

    void on_packet(std::uint32_t socket, const Endpoint& from, Bytes packet);
    void advance();
    [[nodiscard]] Instant next_deadline() const;
    void report(std::vector<StreamReport>& out) const;

  private:
    struct Pair { // the two ends of one stream; those that are not ours are null
        MediaSide* from = nullptr;
        MediaSide* to = nullptr;
    };
    MediaSide& side(PartyId party, CallId call);
    [[nodiscard]] MediaSide* latest(PartyId party, std::optional<PartyId> with = {}) const;
    [[nodiscard]] Pair find(const Arrow& arrow) const;
    [[nodiscard]] std::optional<PartyId> peer_of(const MediaSide& side) const;
    bool begins(StepId step, std::initializer_list<MediaSide*> listeners, bool at_once);
    bool perform_dtmf(StepId step, const Arrow& arrow, const script::Media& media);
    std::optional<Difference> judge(const MediaSide& listener, const Arrow& arrow,
                                    const script::Media& media, Duration length) const;
    bool finish(StepId step, std::optional<Difference> difference, std::string why);
    bool check_autn(StepId step, PartyId party);
    void ask_for_keys(MediaSide& own);
    bool say(StepId step, MediaSide& own, const script::Says& says);
    void send(MediaSide& own, std::vector<rtp::MediaPacket>& packets);
    void mix(MediaSide& own);

    State& state_;
    std::map<std::pair<PartyId, CallId>, std::unique_ptr<MediaSide>> sides_;
    std::uint64_t agreements_ = 0;
    std::vector<bool> focus_; // by PartyId: it mixes its calls
};

} // namespace cw::play
