#include "script/meaning.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "script/calls.hpp"
#include "script/misplaced.hpp"
#include "script/parse.hpp"
#include "script/subscriptions.hpp"
#include "script/variables.hpp"

namespace cw::script {
namespace {

using sip::Method;

// A request that waits for its final response.
struct Open {
    StepId step = 0;
    PartyId from = 0;
    PartyId to = 0;
    Method method = Method::None;
    CallId call = 0;
    bool in_dialog = false;
};

auto ends_of(const Open& open) {
    return std::tuple(open.from, open.to, open.method);
}

// What was so before a block, and how its first section left it.
struct Branch {
    StepId block = 0; // its first line
    StepId begin = 0; // that of the section at hand
    std::vector<Open> before;
    Calls calls;
    Subscriptions subscriptions;
    std::optional<std::vector<Open>> first;
    std::vector<Calls> ways{}; // how the sections so far have left them
};

class Walk {
  public:
    Walk(Plan& plan, Complaints& complaints)
        : plan_(plan), complaints_(complaints), variables_(plan, complaints),
          last_ack_(plan.parties.size()), came_back_(plan.steps.size()) {}

    void run() {
        for (const auto& party : plan_.parties) {
            variables_.see(party.facts, {});
        }
        for (at_ = 0; at_ < plan_.steps.size() && !complaints_.is_full(); ++at_) {
            auto& what = plan_.steps[at_].what;
            if (auto* arrow = std::get_if<Arrow>(&what)) {
                walk(*arrow);
            } else if (const auto* block = std::get_if<Block>(&what)) {
                walk(*block);
            } else if (const auto* end = std::get_if<End>(&what)) {
                leave(std::get<Block>(plan_.steps[end->begin].what).kind);
            } else if (const auto* act = std::get_if<Act>(&what)) {
                walk(*act);
            }
        }
        variables_.finish();
        plan_.calls = calls_.count();
    }

  private:
    void walk(Arrow& arrow);
    void walk(Arrow& arrow, Request& request);
    void walk(Arrow& arrow, Response& response);
    void walk(const Act& act);
    void walk(const Block& block);
    void leave(BlockKind kind);
    void section_ends(Branch& branch, Place place);
    void check_weights(const Block& first);
    bool explicit_call(Arrow& arrow, bool invite);
    void assign_invite(Arrow& arrow, Request& request);
    void assign_other(Arrow& arrow, Request& request);
    [[nodiscard]] const Subscription* subscription_of(const Arrow& arrow, Method method) const;
    void pass_on(Arrow& arrow, const Request& request);
    void pass_back(Arrow& arrow, const Response& response);
    [[nodiscard]] const Open* latest_towards(PartyId party, Method method) const;
    [[nodiscard]] bool has_invited(const Arrow& ack) const;
    [[nodiscard]] bool ends_here(const Arrow& ack) const;
    [[nodiscard]] std::string name(PartyId party) const { return plan_.parties[party].id; }
    [[nodiscard]] std::string list(const std::vector<Open>& open) const;

    Plan& plan_;
    Complaints& complaints_;
    Variables variables_;
    Calls calls_;
    Subscriptions subscriptions_;
    std::vector<Open> open_;
    std::vector<Open> answered_; // for the responses that say (INVITE) after the final one
    std::vector<Branch> branches_;
    std::vector<std::optional<StepId>> last_ack_; // by the party that received it
    // By the step of a request that was passed on: the responses to what it became.
    std::vector<std::vector<StepId>> came_back_;
    std::set<StepId> passed_back_; // …and those of them that were passed on
    StepId at_ = 0;
};

void Walk::walk(Arrow& arrow) {
    if (auto* request = std::get_if<Request>(&arrow.content)) {
        walk(arrow, *request);
    } else if (auto* response = std::get_if<Response>(&arrow.content)) {
        walk(arrow, *response);
    }
    check_facts(arrow, complaints_);
    const bool ours = plan_.parties[arrow.to].control != Control::External;
    const Variables::Where where{.may_capture = ours, .call = arrow.call, .calls = calls_.count()};
    variables_.see(arrow.facts, where);
    if (const auto* request = std::get_if<Request>(&arrow.content)) {
        const Variables::Where sent{.may_capture = false, .call = arrow.call, .calls = where.calls};
        if (const auto* uri = std::get_if<Template>(&request->target)) {
            variables_.see(*uri, sent);
        }
        if (request->text) {
            variables_.see(*request->text, sent);
        }
    }
}

void Walk::walk(const Act& act) {
    if (const auto* reads = std::get_if<Reads>(&act.action)) {
        variables_.see(reads->text, {.may_capture = false, .call = 0, .calls = calls_.count()});
    }
}

const Open* Walk::latest_towards(PartyId party, Method method) const {
    for (auto i = open_.size(); i-- > 0;) {
        if (open_[i].to == party && open_[i].method == method) {
            return &open_[i];
        }
    }
    return nullptr;
}

// Is the latest INVITE that went the way of `ack` one of its sender's own, and not passed on?
bool Walk::has_invited(const Arrow& ack) const {
    for (auto i = at_; i-- > 0;) {
        const auto* earlier = std::get_if<Arrow>(&plan_.steps[i].what);
        const auto* request =
            earlier != nullptr ? std::get_if<Request>(&earlier->content) : nullptr;
        if (request != nullptr && request->method == Method::Invite && earlier->from == ack.from &&
            earlier->to == ack.to) {
            return !earlier->forwards;
        }
    }
    return false;
}

// Does `ack` acknowledge a refusal? Such an ACK goes one hop [RFC 3261 §17.1.1.3]: a proxy makes
// its own, and passes none on.
bool Walk::ends_here(const Arrow& ack) const {
    for (auto i = at_; i-- > 0;) {
        const auto* earlier = std::get_if<Arrow>(&plan_.steps[i].what);
        const auto* response =
            earlier != nullptr ? std::get_if<Response>(&earlier->content) : nullptr;
        if (response == nullptr || earlier->from != ack.to || earlier->to != ack.from ||
            response->status < 200) {
            continue;
        }
        if (response->method == Method::Invite) {
            return response->status >= 300;
        }
    }
    return false;
}

// What a party that is no telephone sends on is the request that it last received.
void Walk::pass_on(Arrow& arrow, const Request& request) {
    if (plan_.parties[arrow.from].actor) {
        return;
    }
    const auto came_from = [&](StepId step) {
        return std::get<Arrow>(plan_.steps[step].what).from;
    };
    if (request.method == Method::Ack) {
        // Not where it acknowledges what the sender has asked for itself.
        const auto last = last_ack_[arrow.from];
        if (last && came_from(*last) != arrow.to && !has_invited(arrow) && !ends_here(arrow)) {
            arrow.forwards = std::exchange(last_ack_[arrow.from], std::nullopt);
        }
    } else if (const auto* received = latest_towards(arrow.from, request.method);
               received != nullptr && (came_from(received->step) != arrow.to ||
                                       calls_.dialog(arrow.from, arrow.to, nullptr) == 0)) {
        arrow.forwards = received->step;
        arrow.call = received->call;
    }
}

// A response that a proxy sends is the one that last came back to it, if it has the same status;
// when it has passed that on already, the latest of them that it has not: two phones ring.
void Walk::pass_back(Arrow& arrow, const Response& response) {
    const auto& came = came_back_[response.answers];
    const auto fits = [&](StepId step) {
        const auto elsewhere = [&](const Branch& branch) { // in a section that was not taken
            return step >= branch.block && step < branch.begin;
        };
        const auto& received = std::get<Arrow>(plan_.steps[step].what);
        return std::get<Response>(received.content).status == response.status &&
               std::ranges::none_of(branches_, elsewhere);
    };
    if (!came.empty() && fits(came.back())) {
        const auto fresh = std::find_if(came.rbegin(), came.rend(), [&](StepId step) {
            return fits(step) && !passed_back_.contains(step);
        });
        arrow.forwards = fresh != came.rend() ? *fresh : came.back();
        passed_back_.insert(*arrow.forwards);
    }
    const auto& request = std::get<Arrow>(plan_.steps[response.answers].what);
    if (request.forwards && !is_lost(arrow.link)) {
        came_back_[*request.forwards].push_back(at_);
    }
}

// "(call 2)". Returns whether the arrow says so.
bool Walk::explicit_call(Arrow& arrow, bool invite) {
    const auto* said = find<InCall>(arrow.facts);
    if (said == nullptr) {
        return false;
    }
    const auto place = std::ranges::find_if(arrow.facts, [](const Fact& fact) {
                           return std::holds_alternative<InCall>(fact.value);
                       })->place;
    const auto count = calls_.count();
    if (said->replaces > count) {
        complaints_.error(place, fmt::format("call {} has not started yet", said->replaces),
                          count == 0 ? "an INVITE above that opens it"
                                     : fmt::format("a call up to {}", count));
    }
    const bool next = invite && said->call == count + 1;
    if (said->call > count && !next) {
        complaints_.error(place,
                          fmt::format("call {} has not started yet ({} so far)", said->call, count),
                          invite ? fmt::format("call {}, the next one", count + 1)
                                 : "an INVITE above that opens it");
    } else if (said->call > 0) {
        arrow.call = next ? CallId{0} : said->call;
        return !next;
    }
    return false;
}

void Walk::assign_invite(Arrow& arrow, Request& request) {
    const auto* said = find<InCall>(arrow.facts);
    const bool opens =
        said != nullptr && (said->call > calls_.count() || (said->call == 0 && said->replaces > 0));
    const auto* target = std::get_if<PartyId>(&request.target);
    if (!explicit_call(arrow, true) && !opens && arrow.call == 0) {
        const auto same = std::ranges::find_if(open_, [&](const Open& open) {
            return ends_of(open) == std::tuple(arrow.from, arrow.to, Method::Invite);
        });
        if (same != open_.end()) {
            request.again = true;
            arrow.call = same->call;
        } else if (arrow.call = calls_.dialog(arrow.from, arrow.to, target); arrow.call == 0) {
            arrow.call = calls_.to_retry(arrow.from);
        }
    }
    if (arrow.call == 0 && calls_.count() < limit::calls) {
        arrow.call = calls_.open(arrow.from);
        arrow.opens_call = true;
    } else if (arrow.call == 0) {
        complaints_.error(arrow.said, "too many calls", fmt::format("at most {}", limit::calls));
    }
    calls_.join(arrow.call, arrow.from);
    if (!is_lost(arrow.link)) {
        calls_.join(arrow.call, arrow.to);
    } else {
        calls_.lost(arrow.call);
    }
}

const Subscription* Walk::subscription_of(const Arrow& arrow, Method method) const {
    if (method == Method::Notify) {
        return subscriptions_.reported_by(arrow);
    }
    return method == Method::Subscribe ? subscriptions_.refreshed_by(arrow) : nullptr;
}

void Walk::assign_other(Arrow& arrow, Request& request) {
    const auto* subscription = subscription_of(arrow, request.method);
    if (subscription != nullptr) {
        request.subscription = subscription->step;
    }
    if (explicit_call(arrow, false) || arrow.call != 0 || says(arrow.facts, Word::NoCall)) {
        return;
    }
    if (subscription != nullptr) {
        arrow.call = subscription->call;
        return;
    }
    // These stand outside of any call unless they say which one they belong to.
    constexpr Method apart[] = {Method::Register, Method::Options, Method::Subscribe,
                                Method::Publish, Method::Message};
    if (std::ranges::find(apart, request.method) == std::end(apart)) {
        arrow.call = calls_.latest(arrow.from, arrow.to);
    }
}

void Walk::walk(Arrow& arrow, Request& request) {
    const auto before = calls_.count();
    pass_on(arrow, request);
    const bool invite = request.method == Method::Invite;
    const auto dialog = invite ? calls_.dialog(arrow.from, arrow.to, nullptr) : CallId{0};
    if (invite) {
        assign_invite(arrow, request);
    } else {
        assign_other(arrow, request);
    }
    if (is_lost(arrow.link)) {
        return;
    }
    if (request.method == Method::Ack) {
        if (!ends_here(arrow)) {
            last_ack_[arrow.to] = at_;
        }
        return;
    }
    if (request.method == Method::Bye) {
        calls_.ended(arrow.call);
    }
    if (request.method == Method::Refer ||
        (request.method == Method::Subscribe && !request.subscription)) {
        subscriptions_.add(at_, arrow, request);
    }
    if (request.again) {
        return;
    }
    if (open_.size() == limit::open_requests) {
        complaints_.error(arrow.said, "too many requests wait for an answer",
                          fmt::format("at most {}", limit::open_requests));
        return;
    }
    const bool in_dialog = arrow.call <= before && arrow.call != 0 && arrow.call == dialog;
    open_.push_back({at_, arrow.from, arrow.to, request.method, arrow.call, in_dialog});
}

void Walk::walk(Arrow& arrow, Response& response) {
    const auto* said = find<Answers>(arrow.facts);
    const auto* in_call = find<InCall>(arrow.facts);
    const auto call = in_call != nullptr ? in_call->call : CallId{0};
    const auto fits = [&](const Open& open) {
        return open.from == arrow.to && open.to == arrow.from &&
               (said == nullptr || open.method == said->method) && (call == 0 || open.call == call);
    };
    auto found = std::find_if(open_.rbegin(), open_.rend(), fits);
    const bool again = found == open_.rend() && said != nullptr;
    if (again) {
        found = std::find_if(answered_.rbegin(), answered_.rend(), fits);
    }
    if (found == (again ? answered_.rend() : open_.rend())) {
        complaints_.error(
            arrow.said,
            fmt::format("this answers nothing: {} has no open {}{} to {}", name(arrow.to),
                        said != nullptr ? to_string(said->method) : "request",
                        call != 0 ? fmt::format(" of call {}", call) : "", name(arrow.from)),
            "a request above, in the other direction");
        return;
    }
    const auto request = *found;
    response.answers = request.step;
    response.method = request.method;
    arrow.call = request.call;
    pass_back(arrow, response);
    if (again || response.status < 200 || is_lost(arrow.link)) {
        return;
    }
    open_.erase(std::next(found).base());
    answered_.push_back(request);
    if (response.status >= 300) {
        subscriptions_.refused(request.step);
    }
    if (request.method == Method::Invite && !request.in_dialog) {
        if (response.status < 300) {
            calls_.answered(request.call);
        } else {
            calls_.refused(request.call, arrow.to, response.status);
        }
    }
}

std::string Walk::list(const std::vector<Open>& open) const {
    if (open.empty()) {
        return "none";
    }
    std::string out;
    for (std::size_t i = 0; i < open.size() && i < 3; ++i) {
        out += fmt::format("{}{} {} → {}", i == 0 ? "" : ", ", to_string(open[i].method),
                           name(open[i].from), name(open[i].to));
    }
    return open.size() > 3 ? out + " …" : out;
}

// A section is over: whoever takes it must leave the same requests open.
void Walk::section_ends(Branch& branch, Place place) {
    auto left = open_;
    std::ranges::sort(left, {}, ends_of);
    if (!branch.first) {
        branch.first = std::move(left);
    } else if (!std::ranges::equal(left, *branch.first, {}, ends_of, ends_of)) {
        complaints_.error(place, "the ways through this block leave different requests unanswered",
                          fmt::format("those of the first way ({}), but this leaves {}",
                                      list(*branch.first), list(left)));
    }
}

void Walk::walk(const Block& block) {
    if (!is_section(block.kind)) {
        branches_.push_back({at_, at_, open_, calls_.snapshot(), subscriptions_, std::nullopt});
        check_weights(block);
        return;
    }
    auto& branch = branches_.back();
    if (block.kind != BlockKind::And) {
        section_ends(branch, plan_.steps[branch.begin].place);
        branch.ways.push_back(calls_.snapshot());
        open_ = branch.before;
        calls_.restore(branch.calls);
        subscriptions_ = branch.subscriptions;
        branch.begin = at_;
    }
}

void Walk::leave(BlockKind kind) {
    auto branch = std::move(branches_.back());
    branches_.pop_back();
    const auto place = plan_.steps[branch.begin].place;
    if (kind == BlockKind::Alt || kind == BlockKind::Critical) {
        section_ends(branch, place);
        for (const auto& way : branch.ways) {
            calls_.prefer_answered(way);
        }
    } else if (kind == BlockKind::Opt || kind == BlockKind::Loop) {
        auto left = std::move(branch.before); // the other way is not to enter it
        std::ranges::sort(left, {}, ends_of);
        branch.first = std::move(left);
        section_ends(branch, place);
    } else if (kind == BlockKind::Break) {
        open_ = std::move(branch.before); // whoever goes on was not in it
        calls_.restore(branch.calls);
        subscriptions_ = std::move(branch.subscriptions);
    }
}

void Walk::check_weights(const Block& first) {
    std::uint32_t sum = 0;
    for (const auto* block = &first;; block = &std::get<Block>(plan_.steps[block->next].what)) {
        if (const auto* weight = find<Weight>(block->facts)) {
            sum += std::min(weight->share.millionths, 1'000'001U);
        }
        if (sum > 1'000'000) {
            complaints_.error(plan_.steps[at_].place, "the shares of this block exceed 100%",
                              "shares that make 100% or less");
            return;
        }
        if (block->next == block->end) {
            return;
        }
    }
}

} // namespace

void resolve(Plan& plan, Complaints& complaints) {
    Walk(plan, complaints).run();
}

} // namespace cw::script
