#include "cli/watch_page.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <openssl/rand.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "crypto/base64url.hpp"
#include "crypto/ca.hpp"
#include "crypto/certificate.hpp"
#include "crypto/private_file.hpp"
#include "view/json_writer.hpp"
#include "view/ladder.hpp"
#include "view/page.hpp"

namespace cw::cli {
namespace {

constexpr std::size_t most_asked = 4096; // that wait
constexpr std::size_t rows_at_first = 2000;
constexpr std::size_t found_at_once = 200;
constexpr std::size_t shortest_token = 16;

Instant time_of_day() {
    return Instant{std::chrono::duration_cast<std::chrono::nanoseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count()};
}

std::string random_token() {
    std::array<std::uint8_t, 18> octets{};
    std::string out;
    if (RAND_bytes(octets.data(), static_cast<int>(octets.size())) == 1) {
        crypto::append_base64url(out, octets);
    }
    return out;
}

// Of a file, which is made when it is not there. Or what failed.
std::expected<std::string, std::string> token_of(const std::string& path) {
    if (path.empty()) {
        return random_token();
    }
    std::string token;
    if (std::ifstream file{path}; std::getline(file, token)) {
        while (!token.empty() && (token.back() == '\r' || token.back() == ' ')) {
            token.pop_back();
        }
        if (token.size() < shortest_token) {
            return std::unexpected{
                fmt::format("{}: a token has {} characters at least", path, shortest_token)};
        }
        return token;
    }
    token = random_token();
    if (const auto written =
            crypto::write_whole(path, token + "\n", crypto::for_owner, crypto::IfThere::Refuse);
        !written) {
        return std::unexpected{fmt::format("{}: {}", path, written.error().what)};
    }
    return token;
}

// A certificate for this run alone. Its files are gone when the context has read them.
std::expected<std::shared_ptr<const net::TlsContext>, std::string>
throw_away_context(const Endpoint& at, std::string& fingerprint) {
    const auto now = time_of_day();
    char name[256] = "localhost";
    ::gethostname(name, sizeof name - 1);
    crypto::LeafSpec spec;
    spec.domains = {name};
    if (!at.address.is_unspecified()) {
        spec.addresses = {at.address};
    }
    spec.validity = crypto::valid_for(now, 90);
    const auto ca = crypto::make_ca({.name = "Callwright page", .validity = spec.validity});
    auto leaf = ca ? crypto::issue(*ca, spec) : std::unexpected{ca.error()};
    if (ca && !leaf) { // a host name that is no domain
        spec.domains = {"localhost"};
        leaf = crypto::issue(*ca, spec);
    }
    if (!leaf) {
        return std::unexpected{std::string{"a certificate for the page: "} + leaf.error().what};
    }
    fingerprint = crypto::describe(leaf->certificate.get()).fingerprint;
    std::string folder = (std::filesystem::temp_directory_path() / "callwright-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) {
        return std::unexpected{"a folder for the page's certificate: " + folder};
    }
    const net::CertificateFiles files{folder + "/page.pem", folder + "/page.key"};
    net::TlsSettings settings;
    settings.certificates = {files};
    std::expected<std::shared_ptr<const net::TlsContext>, std::string> context =
        std::unexpected{"the page's certificate could not be written"};
    if (crypto::write_whole(files.certificate, crypto::to_pem(leaf->certificate.get()),
                            crypto::for_owner, crypto::IfThere::Replace) &&
        crypto::write_whole(files.key, crypto::to_pem(leaf->key.get()), crypto::for_owner,
                            crypto::IfThere::Replace)) {
        context = net::TlsContext::make(net::TlsContext::Role::Server, settings);
    }
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return context;
}

void write_step(view::JsonWriter& json, const host::Trends::Step& step) {
    json.open_array();
    json.value(step.begin.ns / 1'000'000'000);
    json.value(step.started);
    json.value(step.answered);
    json.value(step.failed);
    json.value(step.open);
    json.value(step.wait(.5), 2);
    json.value(step.wait(.95), 2);
    json.value(step.mos_count > 0 ? step.mos_sum / step.mos_count : 0, 2);
    json.value(step.mos_low, 2);
    for (const auto count : step.safety) {
        json.value(count);
    }
    json.close_array();
}

std::string trend_json(host::Trends& trends, Instant now, bool all) {
    view::JsonWriter json;
    json.open_object();
    json.key("steps");
    json.open_array();
    if (all) {
        for (const auto* step : trends.all(now)) {
            write_step(json, *step);
        }
    } else {
        write_step(json, trends.at(now - host::Trends::step));
        write_step(json, trends.at(now));
    }
    json.close_array();
    json.key("safety");
    json.open_array();
    for (const auto count : trends.safety(now)) {
        json.value(count);
    }
    json.close_array();
    json.close_object();
    return std::string{json.text()};
}

std::string entry_json(const flow::Call& call, const std::vector<std::string_view>& messages) {
    std::string out;
    view::write_page_entry([&](std::string_view piece) { out += piece; }, call, view::layout(call),
                           [&](const flow::Message& message) {
                               const auto i =
                                   static_cast<std::size_t>(&message - call.messages.data());
                               return i < messages.size() ? messages[i] : std::string_view{};
                           });
    return out;
}

std::string json_text(std::string_view text) {
    view::JsonWriter json;
    json.value(text);
    return std::string{json.text()};
}

std::string_view next_word(std::string_view& rest) {
    const auto word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    return word;
}

} // namespace

std::expected<std::unique_ptr<WatchPage>, WatchPage::Failure>
WatchPage::open(const WatchPageSettings& settings) {
    const auto fail = [](int status, std::string why) {
        return std::unexpected{Failure{status, std::move(why)}};
    };
    const auto at = parse_endpoint(
        settings.at.starts_with(':') ? "127.0.0.1" + settings.at : settings.at, 8080);
    if (!at) {
        return fail(BadUsage, fmt::format("--web {}: not an address; :8080 (loopback), "
                                          "192.0.2.1:8443 or [::]:8443 are",
                                          settings.at));
    }
    if (settings.certificate.empty() != settings.key.empty()) {
        return fail(BadUsage, "--web-cert and --web-key belong together");
    }
    std::unique_ptr<WatchPage> page{new WatchPage};
    page->store_ = settings.store;
    page->command_ = settings.command;
    const auto token = token_of(settings.token_file);
    if (!token) {
        return fail(BadInput, token.error());
    }
    web::PageSettings served;
    served.at = *at;
    served.token = *token;
    served.policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
                    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
                    "frame-ancestors 'none'";
    served.assets = {
        {"/", "text/html; charset=utf-8", view::live_page()},
        {"/page.css", "text/css; charset=utf-8", view::live_style()},
        {"/page.js", "text/javascript; charset=utf-8", std::string{view::live_script()}}};
    if (settings.plain_http && !at->address.is_loopback()) {
        return fail(BadUsage, fmt::format("--web-http is for loopback only; {} is reached from "
                                          "elsewhere",
                                          to_string(*at)));
    }
    if (settings.plain_http) {
        // Note: whoever reads loopback has the powers to read our memory as well.
    } else if (!settings.certificate.empty()) {
        net::TlsSettings tls;
        tls.certificates = {{settings.certificate, settings.key}};
        auto context = net::TlsContext::make(net::TlsContext::Role::Server, tls);
        if (!context) {
            return fail(BadInput, context.error());
        }
        served.tls = std::move(*context);
    } else {
        auto context = throw_away_context(*at, page->fingerprint_);
        if (!context) {
            return fail(BadInput, context.error());
        }
        served.tls = std::move(*context);
    }
    page->wake_ = net::Descriptor{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    const bool secure = served.tls != nullptr;
    auto* it = page.get();
    auto server = web::PageServer::start(
        std::move(served),
        {.said = [it](Client client,
                      std::string_view text) { it->on_asked({client, std::string{text}, false}); },
         .closed = [it](Client client) { it->on_asked({client, {}, true}); }});
    if (!server) {
        return fail(BadInput, server.error());
    }
    page->server_ = std::move(*server);
    page->place_ =
        fmt::format("{}://{}/", secure ? "https" : "http", to_string(page->server_->at()));
    page->address_ = fmt::format("{}#token={}", page->place_, *token);
    return page;
}

// On the server's thread.
void WatchPage::on_asked(Asked asked) {
    {
        const std::lock_guard lock{mutex_};
        if (asked_.size() >= most_asked && !asked.closed) {
            return;
        }
        asked_.push_back(std::move(asked));
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void WatchPage::changed(std::uint32_t number, const flow::Call& call, bool live) {
    const auto now = time_of_day();
    auto& row = rows_[number];
    if (row.empty()) {
        trends_.on_start(now);
    }
    if (!live) {
        trends_.on_end(now, call);
    }
    if (live && (call.state == flow::State::Trying || call.state == flow::State::Ringing ||
                 call.state == flow::State::Answered)) {
        going_.insert(number);
    } else {
        going_.erase(number);
    }
    row.clear();
    view::append_page_row(row, call, number, live);
    fresh_[number] = live;
}

void WatchPage::gone(std::uint32_t number, std::uint32_t into) {
    rows_.erase(number);
    going_.erase(number);
    fresh_.erase(number);
    gone_.emplace_back(number, into);
}

std::string WatchPage::state_json(host::Watch& watch, const std::string& problem) const {
    std::string inputs;
    for (const auto& name : watch.inputs()) {
        inputs += (inputs.empty() ? "" : ", ") + name;
    }
    view::JsonWriter json;
    json.open_object();
    json.member("inputs", std::string_view{inputs});
    json.member("packets", watch.packets());
    json.member("lost", watch.dropped());
    json.member("open", std::uint64_t{going_.size()});
    json.member("problem", std::string_view{problem});
    json.close_object();
    return std::string{json.text()};
}

void WatchPage::answer(host::Watch& watch, host::LiveCalls& calls, host::CallKeeper* keeper) {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto taken = ::read(wake_.get(), &count, sizeof count);
    std::vector<Asked> asked;
    {
        const std::lock_guard lock{mutex_};
        asked.swap(asked_);
    }
    for (const auto& [client, text, closed] : asked) {
        if (closed) {
            visitors_.erase(client);
            continue;
        }
        std::string_view rest = text;
        const auto what = next_word(rest);
        if (what == "rows") {
            visitors_[client].rows = true;
            send_rows(client, watch);
        } else if (what == "call") {
            send_call(client, rest, calls, keeper);
        } else if (what == "leave") {
            visitors_[client].open = 0;
        } else if (what == "search") {
            send_found(client, rest, keeper);
        }
    }
}

void WatchPage::send_rows(Client client, host::Watch& watch) {
    auto first = rows_.begin();
    if (rows_.size() > rows_at_first) {
        first = std::prev(rows_.end(), rows_at_first);
    }
    view::JsonWriter about;
    about.open_object();
    about.member("version", CALLWRIGHT_VERSION);
    about.member("store", std::string_view{store_});
    about.member("command", std::string_view{command_});
    about.close_object();
    std::string out = fmt::format("{{\"about\":{},\"rows\":[", about.text());
    for (auto row = first; row != rows_.end(); ++row) {
        out += row == first ? "" : ",\n";
        out += row->second;
    }
    out += fmt::format("],\"state\":{},\"trend\":{}}}", state_json(watch, ""),
                       trend_json(trends_, time_of_day(), true));
    server_->send(client, std::move(out));
}

void WatchPage::send_call(Client client, std::string_view key, host::LiveCalls& calls,
                          host::CallKeeper* keeper) {
    auto rest = key;
    const auto where = next_word(rest);
    const auto number = parse_number<std::uint32_t>(rest).value_or(0);
    auto& visitor = visitors_[client];
    visitor.open = where == "live" ? number : 0;
    visitor.stale = false;
    std::string out;
    const auto take = [&](const flow::Call& call, const std::vector<std::string_view>& messages) {
        out =
            fmt::format("{{\"key\":{},\"entry\":{}}}", json_text(key), entry_json(call, messages));
    };
    if (where == "live") {
        calls.load(number, take);
    } else if (where == "stored" && keeper != nullptr) {
        static_cast<void>(keeper->store().load(number, take));
    }
    if (out.empty()) {
        out = fmt::format("{{\"missing\":{}}}", json_text(key));
    }
    server_->send(client, std::move(out));
}

void WatchPage::send_found(Client client, std::string_view rest, host::CallKeeper* keeper) {
    const auto search = parse_number<std::uint32_t>(next_word(rest)).value_or(0);
    const auto before = parse_number<std::uint32_t>(next_word(rest)).value_or(0);
    std::string rows;
    std::string why;
    std::size_t count = 0;
    bool more = false;
    if (keeper != nullptr) {
        store::CallStore::Query query;
        query.words = rest;
        query.before = before > 0 ? std::int64_t{before} : INT64_MAX;
        query.most = found_at_once + 1;
        const auto done = keeper->store().search(query, [&](const store::CallStore::Found& found) {
            more = count >= found_at_once;
            if (!more) {
                const auto loaded =
                    keeper->store().load(found.number, [&](const flow::Call& call, const auto&) {
                        rows += rows.empty() ? "" : ",\n";
                        view::append_page_row(rows, call, call.id, false);
                        ++count;
                    });
                why = loaded ? why : loaded.error();
            }
            return !more;
        });
        why = done ? why : done.error();
    }
    server_->send(
        client, fmt::format("{{\"search\":{},\"before\":{},\"more\":{},\"why\":{},\"found\":[{}]}}",
                            search, before, more, json_text(why), rows));
}

void WatchPage::tell(host::Watch& watch, host::LiveCalls& calls, const std::string& problem) {
    const auto now = time_of_day();
    trends_.set_open(now, going_.size());
    const bool any =
        std::ranges::any_of(visitors_, [](const auto& one) { return one.second.rows; });
    if (any) {
        std::string out = "{\"rows\":[";
        bool first = true;
        for (const auto& [number, live] : fresh_) {
            out += std::exchange(first, false) ? "" : ",\n";
            out += rows_[number];
        }
        out += "],\"gone\":[";
        first = true;
        for (const auto& [number, into] : gone_) {
            out += fmt::format("{}[{},{}]", std::exchange(first, false) ? "" : ",", number, into);
        }
        state_ = state_json(watch, problem);
        out +=
            fmt::format("],\"state\":{},\"trend\":{}}}", state_, trend_json(trends_, now, false));
        for (const auto& [client, visitor] : visitors_) {
            if (visitor.rows) {
                server_->send(client, out);
            }
        }
    }
    // A ladder that is open grows; once a second is often enough to look at it.
    for (auto& [client, visitor] : visitors_) {
        visitor.stale = visitor.stale || (visitor.open != 0 && fresh_.contains(visitor.open));
    }
    if (now.ns / 1'000'000'000 != std::exchange(told_entries_, now.ns / 1'000'000'000)) {
        for (auto& [client, visitor] : visitors_) {
            if (std::exchange(visitor.stale, false)) {
                send_call(client, fmt::format("live {}", visitor.open), calls, nullptr);
            }
        }
    }
    fresh_.clear();
    gone_.clear();
}

} // namespace cw::cli
