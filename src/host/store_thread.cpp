#include "host/store_thread.hpp"

#include <utility>

namespace cw::host {

StoreThread::StoreThread(store::Location& location)
    : location_(location), thread_([this] { run(); }) {}

StoreThread::~StoreThread() {
    {
        const std::lock_guard lock{mutex_};
        ends_ = true;
    }
    came_.notify_one();
    thread_.join();
}

store::Stored StoreThread::apply(std::span<const store::LocationRow> rows,
                                 const std::function<void()>& then) {
    Batch batch{rows, then};
    std::unique_lock lock{mutex_};
    waiting_.push_back(&batch);
    came_.notify_one();
    done_.wait(lock, [&batch] { return batch.result.has_value(); });
    return std::move(*batch.result);
}

void StoreThread::run() {
    std::unique_lock lock{mutex_};
    for (;;) {
        came_.wait(lock, [this] { return ends_ || !waiting_.empty(); });
        if (waiting_.empty()) {
            return;
        }
        auto& batch = *waiting_.front();
        waiting_.pop_front();
        lock.unlock();
        auto result = location_.apply(batch.rows, batch.then);
        lock.lock();
        batch.result = std::move(result);
        done_.notify_all();
    }
}

} // namespace cw::host
