// callwright diff: two calls, or the calls of two captures, compared.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/reading.hpp"
#include "cli/terminal.hpp"
#include "flow/difference.hpp"
#include "view/cells.hpp"
#include "view/findings_text.hpp"
#include "view/json_writer.hpp"

namespace cw::cli {
namespace {

// Calls of one capture that are compared with another's, at most.
constexpr std::size_t most_calls = 5000;
constexpr std::size_t most_steps_shown = 20; // of one pair, as text

struct DiffOptions {
    std::vector<std::string> files;
    std::vector<std::string> keys;
    std::vector<std::string> calls;
    std::string format = "text";
};

// One of the two things that are compared.
struct Half {
    std::string file;
    std::shared_ptr<Reading> reading;
    std::vector<flow::Call> calls;

    [[nodiscard]] flow::BytesOf bytes(const flow::Call& call) const {
        return [this, &call](const flow::Message& m) { return reading->original(call, m); };
    }
};

struct Pair {
    const flow::Call* a = nullptr; // nullptr: only the other capture has it
    const flow::Call* b = nullptr;
    flow::CallDifference difference;
    std::vector<const flow::Finding*> only_a; // rules that found something in this call alone
    std::vector<const flow::Finding*> only_b;

    // What a capture lacks makes no other call of it.
    [[nodiscard]] bool alike() const {
        const auto of_call = [](const flow::Finding* one) { return one->rule.starts_with('D'); };
        return a != nullptr && b != nullptr && difference.none_found() &&
               std::ranges::none_of(only_a, of_call) && std::ranges::none_of(only_b, of_call);
    }
};

// What was found in `a` by rules that found nothing in `b`.
std::vector<const flow::Finding*> found_only_in(const flow::Call& a, const flow::Call& b) {
    std::vector<const flow::Finding*> out;
    for (const auto& finding : a.findings) {
        if (std::ranges::find(b.findings, finding.rule, &flow::Finding::rule) == b.findings.end()) {
            out.push_back(&finding);
        }
    }
    return out;
}

bool is_this(const flow::Call& call, std::string_view wanted) {
    return parse_number<std::uint32_t>(wanted) == call.id ||
           std::ranges::any_of(
               call.legs, [&](const flow::Leg& leg) { return call.text(leg.call_id) == wanted; });
}

std::string party(const flow::Call& call, flow::Text text) {
    return view::printable(call.text(text), 80);
}

std::string headline(const flow::Call& call) {
    auto out = fmt::format("{} {}: {} → {} · {}", to_string(call.kind), call.id,
                           party(call, call.from), party(call, call.to), to_string(call.state));
    out += call.final_status >= 300 ? fmt::format(" ({})", call.final_status) : "";
    out += call.duration_s > 0 ? fmt::format(", {:.1f} s", call.duration_s) : "";
    return out;
}

std::string label(const flow::Call& call, std::uint32_t index) {
    const auto& m = call.messages[index];
    return m.status == 0
               ? view::printable(call.text(m.method_text), 32)
               : fmt::format("{} {} ({})", m.status, view::printable(call.text(m.reason), 60),
                             view::printable(call.text(m.method_text), 32));
}
std::string way(const flow::Call& call, std::uint32_t index) {
    const auto& m = call.messages[index];
    return fmt::format("{} → {}", to_string(m.source), to_string(m.destination));
}

bool shares_call_id(const flow::Call& a, const flow::Call& b) {
    return std::ranges::any_of(a.legs, [&](const flow::Leg& leg) {
        return std::ranges::any_of(b.legs, [&](const flow::Leg& other) {
            return a.text(leg.call_id) == b.text(other.call_id);
        });
    });
}

class Differ {
  public:
    explicit Differ(const DiffOptions& options) : options_(options) {}

    int run() {
        if (const auto status = read(); status != Good) {
            return status;
        }
        pair_up();
        const bool alike = std::ranges::all_of(pairs_, &Pair::alike);
        options_.format == "json" ? show_json(alike) : show_text(alike);
        return alike ? Good : WorkFailed;
    }

  private:
    int complain(int status, const std::string& why) {
        fmt::print(stderr, "callwright: diff: {}\n", why);
        return status;
    }

    int read() {
        if (options_.files.size() == 1 && options_.calls.size() != 2) {
            return complain(BadUsage, "one capture: which two calls? --call A --call B");
        }
        if (options_.files.size() > 2 || options_.calls.size() > 2) {
            return complain(BadUsage, "two captures at most, and two calls");
        }
        for (const auto& file : options_.files) {
            Half half{file, std::make_shared<Reading>(), {}};
            if (const auto failure = half.reading->open({file}, options_.keys)) {
                auto why = std::string_view{failure->message};
                why.remove_prefix(why.starts_with("read: ") ? 6 : 0);
                return complain(BadInput, std::string{why});
            }
            half.reading->keep_originals();
            half.reading->run();
            halves_.push_back(std::move(half));
        }
        if (halves_.size() == 1) {
            halves_.push_back(halves_.front());
        }
        for (std::size_t i = 0; i < halves_.size(); ++i) {
            auto& half = halves_[i];
            const auto wanted = options_.calls.empty()
                                    ? std::string{}
                                    : options_.calls[std::min(i, options_.calls.size() - 1)];
            half.reading->book().for_each_call([&](const flow::Call& call) {
                if (wanted.empty() || is_this(call, wanted)) {
                    half.calls.push_back(call);
                }
                return half.calls.size() < most_calls;
            });
            if (half.calls.empty()) {
                return complain(BadInput, wanted.empty()
                                              ? half.file + ": no calls in it"
                                              : fmt::format("{}: no call {}", half.file, wanted));
            }
        }
        return Good;
    }

    // Those with the same Call-ID; then, in their order, those of the same kind between the same.
    void pair_up() {
        std::vector<const flow::Call*> left;
        for (const auto& call : halves_[1].calls) {
            left.push_back(&call);
        }
        const auto take = [&](auto fits) -> const flow::Call* {
            const auto at = std::ranges::find_if(left, fits);
            if (at == left.end()) {
                return nullptr;
            }
            const auto* found = *at;
            left.erase(at);
            return found;
        };
        const bool named = !options_.calls.empty();
        std::vector<const flow::Call*> partners(halves_[0].calls.size(), nullptr);
        for (std::size_t i = 0; i < partners.size(); ++i) {
            const auto& a = halves_[0].calls[i];
            partners[i] = take([&](const flow::Call* b) { return named || shares_call_id(a, *b); });
        }
        for (std::size_t i = 0; i < partners.size(); ++i) {
            const auto& a = halves_[0].calls[i];
            if (partners[i] == nullptr) {
                partners[i] = take([&](const flow::Call* b) {
                    return a.kind == b->kind && a.text(a.from) == b->text(b->from) &&
                           a.text(a.to) == b->text(b->to);
                });
            }
        }
        // Two captures of one call each are meant to be compared, whoever calls whom.
        if (partners.size() == 1 && left.size() == 1 && partners[0] == nullptr) {
            partners[0] = left.front();
            left.clear();
        }
        for (std::size_t i = 0; i < partners.size(); ++i) {
            const auto& a = halves_[0].calls[i];
            Pair pair{.a = &a, .b = partners[i], .difference = {}, .only_a = {}, .only_b = {}};
            if (pair.b != nullptr) {
                pair.difference =
                    flow::compare(a, *pair.b, halves_[0].bytes(a), halves_[1].bytes(*pair.b));
                pair.only_a = found_only_in(a, *pair.b);
                pair.only_b = found_only_in(*pair.b, a);
            }
            pairs_.push_back(std::move(pair));
        }
        for (const auto* b : left) {
            pairs_.push_back({.a = nullptr, .b = b, .difference = {}, .only_a = {}, .only_b = {}});
        }
    }

    void print(std::string_view text) { fmt::print("{}", text); }

    void show_text(bool alike) {
        std::size_t same = 0;
        for (const auto& pair : pairs_) {
            if (pair.a == nullptr || pair.b == nullptr) {
                const bool first = pair.a != nullptr;
                print(fmt::format("only in {}  {}\n\n",
                                  view::printable(halves_[first ? 0 : 1].file),
                                  headline(first ? *pair.a : *pair.b)));
            } else {
                same += pair.alike();
                if (!pair.difference.none_found() || !pair.only_a.empty() || !pair.only_b.empty()) {
                    show_pair(pair);
                }
            }
        }
        print(alike ? fmt::format("alike: {} {}\n", pairs_.size(),
                                  pairs_.size() == 1 ? "call" : "calls")
                    : fmt::format("{} of {} alike\n", same, pairs_.size()));
    }

    void show_pair(const Pair& pair) {
        const auto& d = pair.difference;
        print(fmt::format("A  {}  {}\nB  {}  {}\n\n", view::printable(halves_[0].file),
                          headline(*pair.a), view::printable(halves_[1].file), headline(*pair.b)));
        if (d.alike_before > 0) {
            print(fmt::format("   the first {} {} alike\n", d.alike_before,
                              d.alike_before == 1 ? "message is" : "messages are"));
        }
        std::size_t shown = 0;
        for (const auto& step : d.steps) {
            if (++shown > most_steps_shown) {
                print(fmt::format("   and {} differences more: --format json has them\n",
                                  d.steps.size() - most_steps_shown));
                break;
            }
            if (step.a == flow::none || step.b == flow::none) {
                const bool first = step.a != flow::none;
                const auto& call = first ? *pair.a : *pair.b;
                const auto index = first ? step.a : step.b;
                print(fmt::format("{}  {}  {}  {}: the other has no such message here\n",
                                  first ? 'A' : 'B', index + 1, label(call, index),
                                  way(call, index)));
                continue;
            }
            print(fmt::format("≠  A {}, B {}  {}  {}\n", step.a + 1, step.b + 1,
                              label(*pair.a, step.a), way(*pair.a, step.a)));
            for (const auto& field : step.fields) {
                const auto value = [](const std::string& text) {
                    return text.empty() ? std::string{"—"} : view::printable(text, 200);
                };
                print(fmt::format("     {}\n       A  {}\n       B  {}\n",
                                  view::printable(field.name, 64), value(field.a), value(field.b)));
            }
        }
        for (const auto* found : {&pair.only_a, &pair.only_b}) {
            for (const auto* one : *found) {
                print(fmt::format("{}  {} {}\n     {}\n", found == &pair.only_a ? 'A' : 'B',
                                  one->rule, one->title, view::printable(one->evidence, 300)));
            }
        }
        if (d.cut) {
            print(fmt::format("   only the first {} messages were compared\n",
                              flow::longest_compared));
        }
        print("\n");
    }

    void write_call(view::JsonWriter& json, const Half& half, const flow::Call* call) {
        if (call == nullptr) {
            json.null();
            return;
        }
        json.open_object();
        json.member("file", std::string_view{half.file});
        json.member("id", call->id);
        json.member("kind", to_string(call->kind));
        json.member("from", call->text(call->from));
        json.member("to", call->text(call->to));
        json.member("state", to_string(call->state));
        json.member("final_status", std::uint32_t{call->final_status});
        json.close_object();
    }
    static void write_message(view::JsonWriter& json, const flow::Call& call, std::uint32_t index) {
        if (index == flow::none) {
            json.null();
            return;
        }
        const auto& m = call.messages[index];
        json.open_object();
        json.member("index", index);
        json.member("frame", m.frame);
        json.member("label", std::string_view{label(call, index)});
        json.member("src", std::string_view{to_string(m.source)});
        json.member("dst", std::string_view{to_string(m.destination)});
        json.close_object();
    }

    static void write_findings(view::JsonWriter& json,
                               const std::vector<const flow::Finding*>& findings) {
        json.open_array();
        for (const auto* one : findings) {
            json.open_object();
            json.member("rule", one->rule);
            json.member("severity", one->severity);
            json.member("evidence", std::string_view{one->evidence});
            json.close_object();
        }
        json.close_array();
    }

    void show_json(bool alike) {
        view::JsonWriter json;
        json.open_object();
        json.member("callwright", CALLWRIGHT_VERSION);
        json.member("alike", alike);
        json.key("pairs");
        json.open_array();
        for (const auto& pair : pairs_) {
            json.line();
            json.open_object();
            json.key("a");
            write_call(json, halves_[0], pair.a);
            json.key("b");
            write_call(json, halves_[1], pair.b);
            json.member("alike_messages", pair.difference.alike);
            json.member("alike_before", pair.difference.alike_before);
            json.member("cut", pair.difference.cut);
            json.key("findings_only_in_a");
            write_findings(json, pair.only_a);
            json.key("findings_only_in_b");
            write_findings(json, pair.only_b);
            json.key("differences");
            json.open_array();
            for (const auto& step : pair.difference.steps) {
                json.open_object();
                json.key("a");
                write_message(json, *pair.a, step.a);
                json.key("b");
                write_message(json, *pair.b, step.b);
                json.key("fields");
                json.open_array();
                for (const auto& field : step.fields) {
                    json.open_object();
                    json.member("name", std::string_view{field.name});
                    json.member_or_null("a", field.a);
                    json.member_or_null("b", field.b);
                    json.close_object();
                }
                json.close_array();
                json.close_object();
            }
            json.close_array();
            json.close_object();
        }
        json.close_array();
        json.close_object();
        print(json.text());
        print("\n");
    }

    const DiffOptions& options_;
    std::vector<Half> halves_;
    std::vector<Pair> pairs_;
};

} // namespace

Command add_diff(CLI::App& app) {
    auto options = std::make_shared<DiffOptions>();
    auto* command = app.add_subcommand(
        "diff",
        "Compares two calls, or the calls of two captures: message by message, header field "
        "by header field, and what was found in one of them alone. What differs by nature (tags, "
        "ports, nonces, times) is left out.");
    command->footer(R"(
Examples:
  callwright diff before.pcapng after.pcapng        the same Call-ID, or the same kind, from and to
  callwright diff good.pcap bad.pcap --call 3       call 3 of each
  callwright diff day.pcap --call 3 --call 17       two calls of one capture
  callwright diff a.pcap b.pcap --keys tls.keys --format json

Exit status: 0 alike, 1 they differ, 2 usage, 3 unusable input.)");
    command->add_option("FILE", options->files, "one or two captures")->required();
    command->add_option("--keys", options->keys, "as for read (repeatable)");
    command->add_option(
        "--call", options->calls,
        "only this call: its number or a Call-ID; twice: of the first, of the second");
    command->add_option("--format", options->format, "text or json")
        ->check(CLI::IsMember({"text", "json"}));
    return [options] { return Differ{*options}.run(); };
}

} // namespace cw::cli
