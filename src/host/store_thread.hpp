// The location store for threads that must not touch its file themselves, because they have tables
// of descriptors of their own (net/own_table.hpp): one thread does it for them while they wait.
// That costs two changes of threads a batch, so nobody else goes this way.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "store/location.hpp"

namespace cw::host {

class StoreThread {
  public:
    // `location` outlives it. Its thread shares the table of who makes it.
    explicit StoreThread(store::Location& location);
    // Nobody is within apply() any more.
    ~StoreThread();
    StoreThread(const StoreThread&) = delete;
    StoreThread& operator=(const StoreThread&) = delete;

    // As store::Location::apply(), from any thread; `then` is called in the store's.
    store::Stored apply(std::span<const store::LocationRow> rows,
                        const std::function<void()>& then);

  private:
    struct Batch {
        std::span<const store::LocationRow> rows;
        const std::function<void()>& then;
        std::optional<store::Stored> result = {};
    };
    void run();

    store::Location& location_;
    std::mutex mutex_; // of what follows, and of the results
    std::condition_variable came_;
    std::condition_variable done_;
    std::deque<Batch*> waiting_;
    bool ends_ = false;
    std::thread thread_;
};

} // namespace cw::host
