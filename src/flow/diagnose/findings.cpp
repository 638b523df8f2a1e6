#include "flow/diagnose/findings.hpp"

#include <algorithm>
#include <utility>

namespace cw::flow::diagnose {
namespace {

std::string_view confidence_name(Confidence confidence) {
    switch (confidence) {
    case Confidence::Certain:
        return "certain";
    case Confidence::Likely:
        return "likely";
    case Confidence::Possible:
        break;
    }
    return "possible";
}

int rank_of(const Finding& finding) {
    return finding.severity == "error" ? 0 : finding.severity == "warning" ? 1 : 2;
}

// Does `cause` say that it can bring `effect` about?
bool can_bring(const Finding& cause, const Finding& effect) {
    const auto* rule = find_rule(cause.rule);
    auto brings = rule != nullptr ? rule->brings : std::string_view{};
    while (!brings.empty()) {
        const auto end = std::min(brings.find(' '), brings.size());
        if (brings.substr(0, end) == effect.rule) {
            return true;
        }
        brings.remove_prefix(std::min(end + 1, brings.size()));
    }
    return false;
}

// The finding that brought number `effect` about. A cause that shows itself at a later message
// than its effect is none.
std::uint32_t cause_of(const std::vector<Finding>& all, std::size_t effect) {
    auto found = none;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i == effect || !can_bring(all[i], all[effect]) || can_bring(all[effect], all[i])) {
            continue;
        }
        // Of two causes the one that is itself an effect of the other stands nearer.
        if (found == none || can_bring(all[found], all[i])) {
            found = static_cast<std::uint32_t>(i);
        }
    }
    return found;
}

} // namespace

void set_severity(Finding& finding, Severity severity) {
    finding.severity = to_string(severity);
}

Finding& Findings::add(std::string_view rule, std::vector<std::uint32_t> messages,
                       std::string evidence, Confidence confidence) {
    auto& finding = found_.size() < most ? found_.emplace_back() : spare_;
    finding = {};
    if (const auto* text = find_rule(rule)) {
        finding.rule = text->id;
        finding.severity = to_string(text->severity);
        finding.title = text->title;
        finding.rfc = text->rfc;
        finding.advice = text->fix;
    }
    std::erase(messages, none);
    finding.messages = std::move(messages);
    finding.evidence = std::move(evidence);
    finding.confidence = confidence_name(confidence);
    return finding;
}

void Findings::add(const Finding& finding) {
    if (found_.size() < most) {
        found_.push_back(finding);
    }
}

bool Findings::has(std::string_view rule) const {
    return std::ranges::find(found_, rule, &Finding::rule) != found_.end();
}

std::vector<Finding> Findings::take() {
    if (found_.size() <= 1) { // as nearly all calls have
        return std::exchange(found_, {});
    }
    if (!std::ranges::is_sorted(found_, {}, rank_of)) {
        std::ranges::stable_sort(found_, {}, rank_of);
    }
    bool related = false;
    for (std::size_t i = 0; i < found_.size(); ++i) {
        found_[i].cause = cause_of(found_, i);
        related = related || found_[i].cause != none;
    }
    if (!related) {
        return std::exchange(found_, {});
    }
    // A consequence stands behind its cause; deeper than this none hangs.
    std::vector<Finding> ordered;
    std::vector<std::uint32_t> place(found_.size(), none);
    const auto put = [&](auto&& self, std::uint32_t n) -> void {
        place[n] = static_cast<std::uint32_t>(ordered.size());
        ordered.push_back(std::move(found_[n])); // its cause stays readable
        for (std::uint32_t i = 0; i < found_.size(); ++i) {
            if (found_[i].cause == n && place[i] == none) {
                self(self, i);
            }
        }
    };
    for (std::uint32_t i = 0; i < found_.size(); ++i) {
        if (found_[i].cause == none) {
            put(put, i);
        }
    }
    for (std::uint32_t i = 0; i < found_.size(); ++i) {
        if (place[i] == none) { // a ring of causes: none is the root
            found_[i].cause = none;
            put(put, i);
        }
    }
    for (auto& finding : ordered) {
        finding.cause = finding.cause == none ? none : place[finding.cause];
    }
    found_.clear();
    return ordered;
}

} // namespace cw::flow::diagnose
