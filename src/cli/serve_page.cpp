#include "cli/serve_page.hpp"

#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/commands.hpp"
#include "cli/page_options.hpp"

namespace cw::cli {
namespace {

constexpr auto tell_every = std::chrono::milliseconds(500);
constexpr int gives_way = 10; // nice

} // namespace

std::expected<std::unique_ptr<ServePage>, WatchPage::Failure>
ServePage::start(const host::Config& whole, const net::CertificateFiles& certificate,
                 std::shared_ptr<host::TraceQueue> queue, const host::Log& log) {
    const auto& config = whole.web;
    std::unique_ptr<ServePage> it{new ServePage{config, log}};
    host::WatchSettings settings;
    settings.server = std::move(queue);
    settings.show_going_on = true;
    auto watch = host::Watch::open(std::move(settings));
    if (!watch) {
        return std::unexpected{WatchPage::Failure{BadInput, watch.error()}};
    }
    it->watch_ = std::move(*watch);
    if (!config.store.empty()) {
        auto keeper = host::CallKeeper::open(config.store, config.kept);
        if (!keeper) {
            return std::unexpected{WatchPage::Failure{BadInput, keeper.error()}};
        }
        it->keeper_ = std::move(*keeper);
    }
    WatchPageSettings page{.at = config.at,
                           .certificate = config.certificate,
                           .key = config.key,
                           .token_file = config.token_file,
                           .store = config.store,
                           .command = whole.trace.empty() ? "" : read_command({whole.trace}, {}),
                           .plain_http = config.plain_http};
    if (page.token_file.empty()) {
        page.token_file = whole.data + "/web-token";
        it->config_.token_file = page.token_file;
    }
    if (page.certificate.empty() && page.key.empty()) {
        page.certificate = certificate.certificate;
        page.key = certificate.key;
    }
    auto opened = WatchPage::open(page);
    if (!opened) {
        return std::unexpected{std::move(opened.error())};
    }
    it->page_ = std::move(*opened);
    it->thread_ = std::thread{[&page_thread = *it] { page_thread.run(); }};
    return it;
}

ServePage::~ServePage() {
    over_ = true;
    if (thread_.joinable()) {
        thread_.join();
    }
}

std::string ServePage::welcome(bool with_token) const {
    std::string out = with_token ? fmt::format("page at {}\n", page_->address())
                                 : fmt::format("page at {}, its token is in {}\n", page_->place(),
                                               config_.token_file);
    if (!page_->fingerprint().empty()) {
        out += fmt::format("its certificate is of this run, SHA-256 {}\n", page_->fingerprint());
    }
    return out;
}

void ServePage::run() {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), gives_way);
    host::LiveCalls calls{*watch_, {.ended = config_.keep}};
    const host::LiveCalls::Listener listener{
        .changed = [&](std::uint32_t number,
                       const flow::Call& call) { page_->changed(number, call, true); },
        .ended =
            [&](std::uint32_t number, const flow::Call& call,
                const host::LiveCalls::Messages& messages) {
                page_->changed(number, call, false);
                if (keeper_ != nullptr) {
                    keeper_->put(call, messages);
                }
            },
        .gone = [&](std::uint32_t number, std::uint32_t into) { page_->gone(number, into); }};
    std::string latest_problem;
    const auto settle = [&] {
        if (keeper_ == nullptr) {
            return;
        }
        keeper_->settle(watch_->now());
        for (auto& problem : keeper_->take_problems()) {
            log_.line(host::LogLevel::Warning, "page_store", host::field("reason", problem));
            latest_problem = std::move(problem);
        }
    };
    const int also[] = {page_->descriptor()};
    auto told = std::chrono::steady_clock::now();
    std::uint64_t lost = 0;
    while (!over_) {
        watch_->turn(milliseconds(200), also);
        page_->answer(*watch_, calls, keeper_.get());
        const auto now = std::chrono::steady_clock::now();
        if (now - told < tell_every) {
            continue;
        }
        told = now;
        calls.refresh(listener);
        settle();
        page_->tell(*watch_, calls, latest_problem);
        if (const auto all = watch_->dropped(); all != std::exchange(lost, all)) {
            log_.line(host::LogLevel::Warning, "page_behind",
                      host::field("packets_lost", std::to_string(all)));
        }
    }
    watch_->finish();
    calls.finish(listener);
    settle();
}

} // namespace cw::cli
