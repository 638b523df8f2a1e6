// Calls that ended, kept in a store (store/call_store.hpp), in batches.
//
// Single-threaded.
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "flow/call.hpp"
#include "store/call_store.hpp"

namespace cw::host {

class CallKeeper {
  public:
    // Opens the store or makes it; or a sentence that says what failed.
    static std::expected<std::unique_ptr<CallKeeper>, std::string>
    open(const std::string& path, const store::CallStore::Settings& settings);

    // The number that it has in the store from now on, or 0.
    std::int64_t put(const flow::Call& call, std::span<const std::string_view> messages);
    // Makes it durable and forgets what is too old: about once a second.
    void settle(Instant now);
    [[nodiscard]] store::CallStore& store() { return *store_; }
    // What went wrong since the last time, a line each; the same is told once.
    std::vector<std::string> take_problems() { return std::exchange(problems_, {}); }

  private:
    CallKeeper(std::unique_ptr<store::CallStore> store, const store::CallStore::Settings& settings)
        : store_(std::move(store)), settings_(settings) {}
    void note(const std::string& problem);

    std::unique_ptr<store::CallStore> store_;
    store::CallStore::Settings settings_;
    std::vector<std::string> problems_;
    std::string latest_problem_;
};

} // namespace cw::host
