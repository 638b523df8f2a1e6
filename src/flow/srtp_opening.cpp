#include "flow/srtp_opening.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"

namespace cw::flow {
namespace {

std::string count_of(std::uint64_t packets) {
    return fmt::format("{} packet{}", packets, packets == 1 ? "" : "s");
}

bool is_of_80_octets(std::string_view codec) {
    return istarts_with(codec, "PCMU") || istarts_with(codec, "PCMA") ||
           istarts_with(codec, "G722");
}

} // namespace

void SrtpOpening::add_keys(std::span<const SrtpKey* const> keys) {
    for (const auto* key : keys) {
        const auto label = static_cast<std::uint32_t>(origins_.size());
        if (reader_.add_key(key->parameters, label)) {
            origins_.push_back({key->owner, key->time, key->frame, key->by, key->parameters.suite});
        }
    }
}

void SrtpOpening::note_opened(std::uint32_t label) {
    if (label_ != label) {
        facts_.key_changes += label_ != none ? 1U : 0U;
        label_ = label;
        const auto& origin = origins_[label];
        suite_ = rtp::to_string(origin.suite);
        facts_.key_frame = origin.frame;
        facts_.by = origin.by;
    }
    ++facts_.opened;
    failed_behind_ = 0;
}

void SrtpOpening::add(const MediaEvent& packet, std::size_t header, rtp::SrtpReader::Budget& budget,
                      Sink& sink) {
    budget.earn();
    if (const auto clear = reader_.open(packet.payload, header, budget)) {
        facts_.encrypted = reader_.is_encrypted();
        facts_.proved = reader_.is_proved();
        facts_.rollovers = reader_.roc();
        const auto label = reader_.label();
        if (waiting_.empty()) {
            note_opened(label);
            sink.on_opened(packet.at.time, *clear);
            return;
        }
        // What waits came before it.
        const std::vector<std::uint8_t> kept{clear->begin(), clear->end()};
        settle_waiting(budget, sink);
        note_opened(label);
        sink.on_opened(packet.at.time, kept);
        return;
    }
    waiting_.push_back(
        {packet.at.time, packet.at.frame, header, {packet.payload.begin(), packet.payload.end()}});
    if (waiting_.size() > most_waiting) {
        fail(waiting_.front());
        waiting_.pop_front();
    }
}

void SrtpOpening::settle_waiting(rtp::SrtpReader::Budget& budget, Sink& sink) {
    for (; !waiting_.empty(); waiting_.pop_front()) {
        const auto& packet = waiting_.front();
        if (const auto clear = reader_.open(packet.bytes, packet.header, budget)) {
            note_opened(reader_.label());
            sink.on_opened(packet.time, *clear);
        } else {
            fail(packet);
        }
    }
}

void SrtpOpening::finish(rtp::SrtpReader::Budget& budget, Sink& sink) {
    settle_waiting(budget, sink);
}

void SrtpOpening::give_back(Sink& sink) {
    for (; !waiting_.empty(); waiting_.pop_front()) {
        sink.on_opened(waiting_.front().time, waiting_.front().bytes);
    }
}

void SrtpOpening::fail(const Waiting& packet) {
    if (facts_.failed == 0) {
        facts_.failed_since = packet.time;
        facts_.failed_frame = packet.frame;
        facts_.failed_sequence = load_be16(packet.bytes.data() + 2);
    }
    ++facts_.failed;
    ++failed_behind_;
    failed_before_ += facts_.opened == 0 ? 1U : 0U;
    const auto payload = packet.bytes.size() - packet.header;
    as_plain_ += payload > 0 && payload % 80 == 0 ? 1U : 0U;
}

// What the failures point to, by where they lie.
std::string SrtpOpening::words_of_failures() const {
    const auto where =
        fmt::format("packet {} (sequence number {})", facts_.failed_frame, facts_.failed_sequence);
    if (facts_.failed == failed_before_) {
        return fmt::format(
            "{} before the first that opens are not authentic, from {} on: sent with "
            "a key that the capture does not tell (early media, or a message before "
            "its start)",
            count_of(facts_.failed), where);
    }
    if (facts_.failed == failed_behind_) {
        return fmt::format("from {} on none is authentic, {} in all: the sender has changed its "
                           "key, and no message that could be read tells the new one",
                           where, count_of(facts_.failed));
    }
    return fmt::format("{} of {} {} not authentic, the first is {}: damaged on the way, or not of "
                       "this sender",
                       facts_.failed, count_of(facts_.failed + facts_.opened),
                       facts_.failed == 1 ? "is" : "are", where);
}

bool SrtpOpening::is_in_clear(std::string_view codec) const {
    return facts_.opened == 0 && facts_.failed > 0 && as_plain_ == facts_.failed &&
           is_of_80_octets(codec);
}

std::string SrtpOpening::problem(const Endpoint& source, const Endpoint& destination,
                                 std::string_view codec) const {
    if (facts_.opened == 0 && facts_.failed > 0) {
        if (is_in_clear(codec)) {
            return fmt::format("SRTP was agreed on, but the packets are as long as {} in clear and "
                               "carry no tag: the sender does not protect them",
                               codec);
        }
        return fmt::format("none of the {} keys that were told opens it: the key was changed in a "
                           "message that could not be read, or something on the way protects the "
                           "media anew",
                           reader_.keys());
    }
    if (facts_.opened == 0 && facts_.cut > 0) {
        return "the capture does not hold whole packets (snaplen), so none can be proved";
    }
    if (facts_.failed > 0) {
        return words_of_failures();
    }
    // [RFC 4568 §6.1] Each side sends with the key that it has told.
    if (label_ != none && origins_[label_].by == KeyExchange::Sdes &&
        origins_[label_].owner == destination && origins_[label_].owner != source) {
        return "it is protected with the key of its receiver, not with one of its sender: the "
               "receiver cannot open it (RFC 4568 §6.1)";
    }
    if (reader_.counter_jumps() > 0) {
        return fmt::format(
            "the rollover counter of the sender has jumped {} time{}, at last to {}: "
            "a receiver that counts for itself is deaf from there on (RFC 3711 "
            "§3.3.1)",
            reader_.counter_jumps(), reader_.counter_jumps() == 1 ? "" : "s", facts_.rollovers);
    }
    return {};
}

} // namespace cw::flow
