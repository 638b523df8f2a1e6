#include "host/watch/trends.hpp"

#include <algorithm>

namespace cw::host {
namespace {

constexpr std::size_t most_waits = 256;

// From the first request to what was first said about it.
double first_wait_ms(const flow::Call& call) {
    for (const auto& message : call.messages) {
        if (message.status != 0) {
            return call.messages.front().status == 0
                       ? (message.time - call.messages.front().time).milliseconds()
                       : -1;
        }
    }
    return -1;
}

Trends::Safety safety_of(const flow::Call& call) {
    switch (call.security.signalling) {
    case flow::Protection::Mixed:
        return Trends::Safety::Mixed;
    case flow::Protection::Secure:
        break;
    case flow::Protection::None:
    case flow::Protection::Clear:
        return Trends::Safety::Clear;
    }
    auto worst = Trends::Safety::Tls13;
    for (const auto& connection : call.connections) {
        if (connection.is_tls() && connection.sip_messages > 0) {
            const auto one = connection.version == "TLSv1.3"   ? Trends::Safety::Tls13
                             : connection.version == "TLSv1.2" ? Trends::Safety::Tls12
                                                               : Trends::Safety::OldTls;
            worst = std::max(worst, one);
        }
    }
    return worst;
}

} // namespace

double Trends::Step::wait(double share) const {
    if (waits.empty()) {
        return -1;
    }
    auto sorted = waits;
    const auto place = std::min(
        static_cast<std::size_t>(share * static_cast<double>(sorted.size())), sorted.size() - 1);
    std::ranges::nth_element(sorted, sorted.begin() + static_cast<std::ptrdiff_t>(place));
    return sorted[place];
}

Trends::Step& Trends::at(Instant now) {
    const auto number = now.ns / step.ns;
    auto& place = steps_[static_cast<std::size_t>(number) % steps];
    if (const Instant begin{number * step.ns}; place.begin != begin) {
        place = {};
        place.begin = begin;
    }
    return place;
}

void Trends::on_end(Instant now, const flow::Call& call) {
    auto& here = at(now);
    if (call.final_status >= 200 && call.final_status < 300) {
        ++here.answered;
    } else if (call.final_status >= 400 || call.state == flow::State::Timeout) {
        ++here.failed;
    }
    if (const auto wait = first_wait_ms(call); wait >= 0) {
        // Each of them is in the sample with the same likelihood, as far as their number tells.
        const auto place = here.answers++ < most_waits
                               ? here.waits.size()
                               : (here.answers * std::uint64_t{2654435761} >> 9) % here.answers;
        if (place == here.waits.size() && place < most_waits) {
            here.waits.push_back(static_cast<float>(wait));
        } else if (place < here.waits.size()) {
            here.waits[place] = static_cast<float>(wait);
        }
    }
    for (const auto& stream : call.streams) {
        if (stream.mos > 0) {
            here.mos_sum += stream.mos;
            here.mos_low = here.mos_count++ == 0 ? stream.mos : std::min(here.mos_low, stream.mos);
        }
    }
    ++here.safety[static_cast<std::size_t>(safety_of(call))];
}

std::vector<const Trends::Step*> Trends::all(Instant now) {
    std::vector<const Step*> out;
    const auto first = at(now).begin - Duration{step.ns * static_cast<std::int64_t>(steps - 1)};
    for (const auto& one : steps_) {
        if (one.begin.known() && one.begin >= first) {
            out.push_back(&one);
        }
    }
    std::ranges::sort(out, {}, &Step::begin);
    return out;
}

std::array<std::uint64_t, Trends::safeties> Trends::safety(Instant now) {
    std::array<std::uint64_t, safeties> out{};
    for (const auto* one : all(now)) {
        for (std::size_t i = 0; i < safeties; ++i) {
            out[i] += one->safety[i];
        }
    }
    return out;
}

} // namespace cw::host
