#include "host/watch/call_keeper.hpp"

#include <utility>

#include <fmt/format.h>

#include "capture/tls/suite.hpp"

namespace cw::host {
namespace {

// What a call is found by besides its messages.
std::string words_of(const flow::Call& call) {
    auto words =
        fmt::format("{} {} {}", to_string(call.kind), to_string(call.state), call.security.weakest);
    for (const auto& finding : call.findings) {
        words += fmt::format("\n{} {} {} {}", finding.rule, finding.severity, finding.title,
                             finding.evidence);
    }
    for (const auto& connection : call.connections) {
        words += fmt::format("\n{} {} {} {}", connection.version, connection.cipher, connection.sni,
                             connection.reason);
    }
    for (const auto& stream : call.streams) {
        words += fmt::format("\n{} {}", call.text(stream.codec), call.text(stream.srtp));
    }
    for (const auto& message : call.messages) {
        for (const auto& end : {message.source, message.destination}) {
            if (const auto text = to_string(end.address); !words.contains(text)) {
                words += "\n" + text;
            }
        }
    }
    return words;
}

} // namespace

std::expected<std::unique_ptr<CallKeeper>, std::string>
CallKeeper::open(const std::string& path, const store::CallStore::Settings& settings) {
    auto opened =
        store::CallStore::open(path, store::CallStore::Mode::Write, capture::tls::alert_name);
    if (!opened) {
        return std::unexpected{std::move(opened.error())};
    }
    return std::unique_ptr<CallKeeper>{new CallKeeper{std::move(*opened), settings}};
}

void CallKeeper::note(const std::string& problem) {
    if (problem != latest_problem_) {
        latest_problem_ = problem;
        problems_.push_back(problem);
    }
}

std::int64_t CallKeeper::put(const flow::Call& call, std::span<const std::string_view> messages) {
    const auto number = store_->put(call, messages, words_of(call));
    if (!number) {
        note(number.error());
        return 0;
    }
    return *number;
}

void CallKeeper::settle(Instant now) {
    for (const auto& done : {store_->commit(), store_->tidy(settings_, now)}) {
        if (!done) {
            note(done.error());
        }
    }
}

} // namespace cw::host
