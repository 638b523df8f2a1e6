#include "view/sarif.hpp"

#include <utility>

#include <fmt/format.h>

#include "base/address.hpp"
#include "flow/diagnose/rule.hpp"
#include "view/cells.hpp"

namespace cw::view {
namespace {

using flow::diagnose::Rule;

// A path as a relative URI reference [RFC 3986 §4.2]: what has a meaning there is escaped.
std::string uri_of(std::string_view path) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    std::string out{path.starts_with('/') ? "file://" : ""};
    for (const auto c : path) {
        if (plain.find(c) != std::string_view::npos) {
            out += c;
        } else {
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

void text_member(JsonWriter& json, std::string_view text) {
    json.open_object();
    json.member("text", text);
    json.close_object();
}

void write_rule(JsonWriter& json, const Rule& rule) {
    json.line();
    json.open_object();
    json.member("id", rule.id);
    json.key("shortDescription");
    text_member(json, rule.title);
    json.key("fullDescription");
    text_member(json, rule.means);
    json.key("help");
    text_member(json, rule.rfc.empty() ? std::string{rule.fix}
                                       : fmt::format("{} ({})", rule.fix, rule.rfc));
    json.key("defaultConfiguration");
    json.open_object();
    json.member("level", to_string(rule.severity));
    json.close_object();
    json.close_object();
}

std::string shown_as(const flow::Message& m, std::string_view method, std::string_view reason) {
    return m.status == 0 ? std::string{method} : fmt::format("{} {}", m.status, reason);
}

} // namespace

SarifReport::SarifReport(Sink sink, std::string_view version) : sink_(std::move(sink)) {
    json_.open_object();
    json_.member("$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    json_.member("version", "2.1.0");
    json_.key("runs");
    json_.open_array();
    json_.open_object();
    json_.key("tool");
    json_.open_object();
    json_.key("driver");
    json_.open_object();
    json_.member("name", "Callwright");
    json_.member("version", version);
    json_.key("rules");
    json_.open_array();
    for (const auto& family : flow::diagnose::all_families()) {
        for (const auto& rule : family.rules) {
            write_rule(json_, rule);
        }
    }
    json_.close_array();
    json_.close_object();
    json_.close_object();
    json_.key("results");
    json_.open_array();
}

void SarifReport::artifact(std::uint16_t input) {
    if (input >= inputs_.size() || inputs_[input] == "-") {
        return;
    }
    json_.key("physicalLocation");
    json_.open_object();
    json_.key("artifactLocation");
    json_.open_object();
    json_.member("uri", std::string_view{uri_of(inputs_[input])});
    json_.close_object();
    json_.close_object();
}

void SarifReport::location(const flow::Call& call, std::uint32_t message) {
    const auto& m = call.messages[message];
    json_.open_object();
    artifact(m.input);
    json_.key("logicalLocations");
    json_.open_array();
    json_.open_object();
    json_.member("name", std::string_view{printable(
                             shown_as(m, call.text(m.method_text), call.text(m.reason)), 80)});
    json_.member("fullyQualifiedName",
                 std::string_view{fmt::format("call {}/message {}", call.id, message)});
    json_.member("kind", "message");
    json_.close_object();
    json_.close_array();
    json_.key("message");
    text_member(json_, fmt::format("frame {}, {}, {} → {}", m.frame, to_rfc3339(m.time),
                                   to_string(m.source), to_string(m.destination)));
    json_.close_object();
}

void SarifReport::result(const flow::Finding& finding, const flow::Call* call) {
    json_.line();
    json_.open_object();
    json_.member("ruleId", std::string_view{finding.rule});
    json_.member("level", std::string_view{finding.severity});
    json_.key("message");
    text_member(json_, fmt::format("{}: {}", finding.title,
                                   finding.evidence.empty() ? finding.advice : finding.evidence));
    const bool placed = call != nullptr && !finding.messages.empty();
    json_.key("locations");
    json_.open_array();
    if (placed) {
        location(*call, finding.messages.front());
    } else if (!inputs_.empty() && inputs_.front() != "-") {
        json_.open_object();
        artifact(call != nullptr && !call->messages.empty() ? call->messages.front().input
                                                            : std::uint16_t{0});
        json_.close_object();
    }
    json_.close_array();
    if (placed && finding.messages.size() > 1) {
        json_.key("relatedLocations");
        json_.open_array();
        for (std::size_t i = 1; i < finding.messages.size(); ++i) {
            location(*call, finding.messages[i]);
        }
        json_.close_array();
    }
    json_.key("properties");
    json_.open_object();
    json_.member("confidence", std::string_view{finding.confidence});
    json_.member("advice", std::string_view{finding.advice});
    json_.member_or_null("rfc", finding.rfc);
    if (call != nullptr) {
        json_.member("call", call->id);
        json_.member("call_id",
                     call->legs.empty() ? std::string_view{} : call->text(call->legs[0].call_id));
        if (finding.cause < call->findings.size()) {
            json_.member("cause", std::string_view{call->findings[finding.cause].rule});
        }
    }
    json_.close_object();
    json_.close_object();
}

void SarifReport::call(const flow::Call& call) {
    for (const auto& finding : call.findings) {
        result(finding, &call);
    }
    if (constexpr std::size_t large = 16'384; json_.text().size() > large) {
        sink_(json_.text());
        json_.clear();
    }
}

void SarifReport::finish(std::span<const flow::Finding> findings) {
    for (const auto& finding : findings) {
        result(finding, nullptr);
    }
    json_.close_array();
    json_.close_object();
    json_.close_array();
    json_.line();
    json_.close_object();
    sink_(json_.text());
    sink_("\n");
}

} // namespace cw::view
