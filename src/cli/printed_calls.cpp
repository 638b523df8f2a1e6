#include "cli/printed_calls.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

namespace cw::cli {
namespace {

// Some 300 kB. With fewer, threads wake each other up more often than that it pays.
constexpr std::uint32_t calls_in_piece = 64;
constexpr std::uint32_t most_ahead = 4; // pieces
// With fewer, a thread costs more than it brings.
constexpr std::uint64_t calls_for_a_thread = 128;
constexpr std::uint64_t most_threads = 8;

// What the two kinds of reports have of their own: a piece, and how it goes into the whole.
view::JsonReport piece_of(const view::JsonReport& /*report*/, view::Sink overflow) {
    return view::JsonReport{view::JsonReport::Piece{std::move(overflow)}};
}
view::ListText piece_of(const view::ListText& list, view::Sink overflow) {
    return {view::ListText::Piece{std::move(overflow)}, list.options()};
}
void put(view::JsonReport& report, std::string_view text, bool begun, std::uint64_t /*calls*/) {
    if (!text.empty()) {
        report.calls(text, begun);
    }
}
void put(view::ListText& list, std::string_view text, bool /*begun*/, std::uint64_t calls) {
    list.rows(text, calls);
}

template <class Report>
class Pieces {
  public:
    Pieces(const flow::Book& book, Report& report,
           const std::function<bool(const flow::Call&)>& is_wanted)
        : book_(book), report_(report), is_wanted_(is_wanted),
          calls_(static_cast<std::uint32_t>(book.counts().calls)) {}

    // On each thread.
    void run() {
        flow::Book::Desk desk;
        for (;;) {
            const auto number = next_++;
            const auto first = std::uint64_t{number} * calls_in_piece;
            if (first >= calls_) {
                return;
            }
            auto piece = begin(number);
            write(*piece, static_cast<std::uint32_t>(first), desk);
            hand_in(std::move(piece));
        }
    }
    [[nodiscard]] const PrintedCalls& result() const { return result_; }

  private:
    struct Piece {
        explicit Piece(Pieces& pieces)
            : text(piece_of(pieces.report_, [this, &pieces](std::string_view overflow) {
                  pieces.take_overflow(*this, overflow);
              })) {}
        Report text;
        std::uint32_t number = 0;
        bool begun = false; // a part of it is in the report
        PrintedCalls counts;
    };

    std::unique_ptr<Piece> begin(std::uint32_t number) {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return number < due_ + most_ahead; });
        std::unique_ptr<Piece> piece;
        if (spare_.empty()) {
            piece = std::make_unique<Piece>(*this);
        } else {
            piece = std::move(spare_.back());
            spare_.pop_back();
        }
        piece->number = number;
        piece->begun = false;
        piece->counts = {};
        return piece;
    }

    void write(Piece& piece, std::uint32_t first, flow::Book::Desk& desk) {
        const auto end = std::min(first + calls_in_piece, calls_);
        book_.for_calls(first, end, desk, [&](const flow::Call& call) {
            if (is_wanted_(call)) {
                ++piece.counts.shown;
                piece.counts.errors |= std::ranges::any_of(
                    call.findings, [](const auto& f) { return f.severity == "error"; });
                piece.text.call(call);
            }
            return true;
        });
    }

    // Into the report, when those before it are there. Nobody else writes then.
    void take_overflow(Piece& piece, std::string_view text) {
        std::unique_lock lock{mutex_};
        changed_.wait(lock, [&] { return piece.number == due_; });
        lock.unlock();
        put(report_, text, piece.begun, 0);
        piece.begun = true;
    }

    // Whoever brings the piece that is due puts it into the report, and those behind it that wait.
    void hand_in(std::unique_ptr<Piece> piece) {
        std::unique_lock lock{mutex_};
        const auto number = piece->number;
        done_.emplace(number, std::move(piece));
        if (number != due_) {
            return;
        }
        while (!done_.empty() && done_.begin()->first == due_) {
            auto whole = std::move(done_.begin()->second);
            done_.erase(done_.begin());
            lock.unlock();
            put(report_, whole->text.kept(), whole->begun, whole->counts.shown);
            whole->text.restart();
            lock.lock();
            result_.shown += whole->counts.shown;
            result_.errors |= whole->counts.errors;
            spare_.push_back(std::move(whole));
            ++due_;
            changed_.notify_all();
        }
    }

    const flow::Book& book_;
    Report& report_;
    const std::function<bool(const flow::Call&)>& is_wanted_;
    const std::uint32_t calls_;
    std::atomic<std::uint32_t> next_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint32_t due_ = 0; // the piece that the report wants next; the rest is under the mutex too
    std::map<std::uint32_t, std::unique_ptr<Piece>> done_;
    std::vector<std::unique_ptr<Piece>> spare_;
    PrintedCalls result_;
};

template <class Report>
PrintedCalls write(const flow::Book& book, Report& report,
                   const std::function<bool(const flow::Call&)>& is_wanted) {
    Pieces<Report> pieces{book, report, is_wanted};
    const auto wanted = std::min({std::uint64_t{std::thread::hardware_concurrency()}, most_threads,
                                  book.counts().calls / calls_for_a_thread});
    std::vector<std::jthread> others;
    for (std::uint64_t i = 1; i < wanted; ++i) {
        others.emplace_back([&pieces] { pieces.run(); });
    }
    pieces.run();
    others.clear();
    return pieces.result();
}

} // namespace

PrintedCalls write_calls(const flow::Book& book, view::JsonReport& report,
                         const std::function<bool(const flow::Call&)>& is_wanted) {
    return write(book, report, is_wanted);
}

PrintedCalls write_calls(const flow::Book& book, view::ListText& list,
                         const std::function<bool(const flow::Call&)>& is_wanted) {
    return write(book, list, is_wanted);
}

} // namespace cw::cli
