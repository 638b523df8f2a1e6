#include "script/load.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "script/pattern.hpp"
#include "script/words.hpp"

namespace cw::script {
namespace {

constexpr std::size_t most_criteria = 16;

Match match_part(const Scope& scope, std::string_view pattern, std::string_view part) {
    return match(pattern, split_words(part), part, scope.names);
}

bool read_rate(const Scope& scope, std::string_view part, Load& out) {
    constexpr std::array units{seconds(1), seconds(60), seconds(3600)};
    for (const auto pattern :
         {"$count calls/s|calls/m|calls/h for $duration", "$count calls/s|calls/m|calls/h"}) {
        const auto found = match_part(scope, pattern, part);
        if (found.complete) {
            out.calls = found.arguments[0].count();
            out.per = units[found.arguments[1].count()];
            if (found.arguments.size() > 2) {
                out.length = found.arguments[2].time();
            }
            return true;
        }
    }
    return false;
}

bool read_more(const Scope& scope, std::string_view part, Load& out) {
    if (const auto ramp = match_part(scope, "ramp $duration", part); ramp.complete && !out.ramp) {
        out.ramp = ramp.arguments[0].time();
        return true;
    }
    if (const auto calls = match_part(scope, "$count calls", part); calls.complete && !out.total) {
        out.total = calls.arguments[0].count();
        return true;
    }
    return false;
}

std::optional<Criterion> read_criterion(const Scope& scope, std::string_view part) {
    if (const auto found = match_part(scope, "failures < $percent", part); found.complete) {
        return Criterion{Criterion::Of::Failures, Percent{found.arguments[0].count()}, {}};
    }
    const auto found =
        match_part(scope, "$percent of answers|ringing|registrations|handshakes < $duration", part);
    if (!found.complete) {
        return std::nullopt;
    }
    return Criterion{static_cast<Criterion::Of>(found.arguments[1].number + 1),
                     Percent{found.arguments[0].count()}, found.arguments[2].time()};
}

std::optional<Demand> read_demand(const Scope& scope, std::string_view part) {
    for (std::size_t i = 0; i < demand_words.size(); ++i) {
        if (match_part(scope, demand_words[i], part).complete) {
            return static_cast<Demand>(i);
        }
    }
    return std::nullopt;
}

} // namespace

std::optional<Load> read_load(const Scope& scope, std::string_view text) {
    Load out;
    bool first = true;
    for (const auto part : split_facts(text)) {
        if (!(first ? read_rate(scope, part, out) : read_more(scope, part, out))) {
            scope.complaints.error(scope.line.place(part), fmt::format("“{}” is no load", part),
                                   first ? "a rate, as in 50 calls/s or 600 calls/m for 10m"
                                         : "ramp and a time, or a number of calls, once each");
            return std::nullopt;
        }
        first = false;
    }
    return out;
}

std::optional<Pass> read_pass(const Scope& scope, std::string_view text) {
    Pass out;
    for (const auto part : split_facts(text)) {
        if (const auto demand = read_demand(scope, part);
            demand && out.demands.size() < most_criteria) {
            out.demands.push_back(*demand);
            continue;
        }
        const auto criterion = read_criterion(scope, part);
        if (!criterion || out.criteria.size() == most_criteria) {
            scope.complaints.error(
                scope.line.place(part), fmt::format("“{}” decides nothing", part),
                "failures < 0.1%, 95% of answers < 800ms (answers, ringing, registrations or "
                "handshakes); every hop TLS, every hop TLS 1.2 or better, every hop TLS 1.3, every "
                "hop verified, media SRTP or media DTLS-SRTP");
            return std::nullopt;
        }
        out.criteria.push_back(*criterion);
    }
    return out;
}

} // namespace cw::script
