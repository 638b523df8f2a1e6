// For the tests of Schedule: a flow written in the test, walked by hand. What may happen is a text:
// "hello!" it is sent, "hello?" it is received, "hello" it is one thing, "(hello?)" it may come.
// A MESSAGE is named by its text, another request by its method, a response by its status.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/text.hpp"
#include "play/schedule.hpp"
#include "script/test_flow.hpp"

namespace cw::play::test {

inline constexpr Instant first_instant{1'777'629'601'000'000'000};

// a, b and c are played, x and y are under test.
inline script::Plan plan_of(std::string_view body) {
    std::string text = "sequenceDiagram\n"
                       "    actor a\n    actor b\n    actor c\n"
                       "    participant x as X (under test)\n"
                       "    participant y as Y (under test)\n\n";
    while (!body.empty()) {
        const auto end = std::min(body.find('\n'), body.size());
        text += "    " + std::string{body.substr(0, end)} + "\n";
        body.remove_prefix(std::min(end + 1, body.size()));
    }
    auto parsed = script::parse(text);
    // Requests that only one way leaves open are no matter of order: these flows answer nothing.
    for (const auto& complaint : parsed.complaints) {
        EXPECT_TRUE(complaint.warning || complaint.what.find("unanswered") != std::string::npos)
            << script::test::report(text, parsed);
    }
    return std::move(parsed.plan);
}

class Walk {
  public:
    explicit Walk(std::string_view body, std::uint64_t seed = 1)
        : plan(plan_of(body)), schedule(plan, seed) {}

    [[nodiscard]] std::string name_of(const Schedule::Ready& ready) const {
        std::string out;
        const auto& what = plan.steps[ready.step].what;
        if (const auto* arrow = std::get_if<script::Arrow>(&what)) {
            if (const auto* response = std::get_if<script::Response>(&arrow->content)) {
                out = std::to_string(response->status);
            } else if (const auto* request = std::get_if<script::Request>(&arrow->content)) {
                out = request->text ? std::get<std::string>(request->text->pieces.front())
                                    : std::string{sip::to_string(request->method)};
            } else {
                out = std::holds_alternative<script::Channel>(arrow->content) ? "TLS" : "SRTP";
            }
        } else {
            out = std::holds_alternative<script::Act>(what) ? "note" : "life";
        }
        out += ready.part == Schedule::Part::Send      ? "!"
               : ready.part == Schedule::Part::Receive ? "?"
                                                       : "";
        return ready.optional ? "(" + out + ")" : out;
    }
    std::string ready() {
        std::string out;
        for (const auto& one : schedule.ready(now)) {
            out += (out.empty() ? "" : " ") + name_of(one);
        }
        return out;
    }
    // These happen, one after the other.
    Walk& happen(std::string_view names) {
        for (std::size_t at = 0; at < names.size();) {
            const auto end = std::min(names.find(' ', at), names.size());
            happen_one(names.substr(at, end - at));
            at = end + 1;
        }
        return *this;
    }
    // The step of a MESSAGE with this text, or of what name_of() calls so.
    script::StepId step(std::string_view name) const {
        for (script::StepId i = 0; i < plan.steps.size(); ++i) {
            if (name_of({i, Schedule::Part::Act, false}) == name) {
                return i;
            }
        }
        ADD_FAILURE() << "there is no " << name;
        return 0;
    }

    script::Plan plan;
    Schedule schedule;
    Instant now = first_instant;

  private:
    void happen_one(std::string_view name) {
        for (const auto& one : schedule.ready(now)) {
            if (name_of(one) == name) {
                one.part == Schedule::Part::Send ? schedule.sent(one.step, now)
                                                 : schedule.received(one.step, now);
                return;
            }
        }
        ADD_FAILURE() << name << " may not happen, only: " << ready();
    }
};

} // namespace cw::play::test
