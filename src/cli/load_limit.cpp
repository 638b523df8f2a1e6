#include "cli/load_limit.hpp"

#include <fmt/format.h>

#include "cli/load_report.hpp"
#include "view/cells.hpp"
#include "view/json_writer.hpp"

namespace cw::cli {

using play::Limit;
using play::Rung;

std::string rung_text(const Rung& rung, const Terminal& terminal) {
    const auto answers = rung.answers_95.ns > 0 ? short_time(rung.answers_95) : std::string{"-"};
    return fmt::format("{} {:>8.4g} calls/s   failed {:>6.3g} %   95 % of answers {:>8}   {:>8} of "
                       "our CPU a call{}{}\n",
                       rung.met        ? terminal.utf8 ? "✓" : "ok"
                       : terminal.utf8 ? "✗"
                                       : "no",
                       rung.rate, 100 * rung.failed, answers, short_time(rung.cpu),
                       rung.why.empty() ? "" : "   ", view::printable(rung.why));
}

std::string limit_text(const Limit& limit) {
    if (!limit.hopeless.empty()) {
        return view::printable(limit.hopeless) + "\n";
    }
    if (limit.rungs.empty()) {
        return "nothing was measured\n";
    }
    const auto* failed = [&]() -> const Rung* {
        for (const auto& rung : limit.rungs) {
            if (!rung.met && rung.rate == limit.too_much) {
                return &rung;
            }
        }
        return nullptr;
    }();
    std::string out = limit.rate > 0
                          ? fmt::format("the limit is {:.4g} calls/s", limit.rate)
                          : fmt::format("not even {:.4g} calls/s meet the goal", limit.too_much);
    if (limit.rate > 0 && failed != nullptr) {
        out += fmt::format("; {:.4g} are too many", limit.too_much);
    } else if (limit.rate > 0 && !limit.interrupted) {
        out += " at least: no higher rate was tried";
    }
    if (failed != nullptr && failed->own_limit) {
        out += ". It is our own: calls began late here (-j takes more cores)";
    }
    return out + (limit.interrupted ? " (interrupted)\n" : "\n");
}

std::string limit_json(const std::string& file, const Limit& limit) {
    view::JsonWriter json;
    json.open_object();
    json.member("callwright", std::string_view{CALLWRIGHT_VERSION});
    json.member("file", std::string_view{file});
    json.member("result", std::string_view{!limit.hopeless.empty() ? "error"
                                           : limit.rate > 0        ? "passed"
                                                                   : "failed"});
    json.member_or_null("why", limit.hopeless);
    json.member("interrupted", limit.interrupted);
    json.key("limit");
    json.value(limit.rate, 3);
    json.key("too_much");
    json.value(limit.too_much, 3);
    json.key("rungs");
    json.open_array();
    for (const auto& rung : limit.rungs) {
        json.open_object();
        json.key("rate");
        json.value(rung.rate, 3);
        json.member("met", rung.met);
        json.member("own_limit", rung.own_limit);
        json.member_or_null("why", rung.why);
        json.key("failed");
        json.value(rung.failed, 6);
        json.key("answers_p95_ms");
        rung.answers_95.ns > 0 ? json.value(rung.answers_95.milliseconds(), 3) : json.null();
        json.key("cpu_us_per_call");
        json.value(static_cast<double>(rung.cpu.ns) / 1e3, 1);
        json.close_object();
    }
    json.close_array();
    json.close_object();
    return std::string{json.text()};
}

} // namespace cw::cli
