// The location service on disk: bindings as rows of an SQLite file in WAL mode [RFC 3261 §10.3].
//
// Durability. apply() returns when the rows are in the write-ahead log, which belongs to the kernel
// by then: the death of the process, kill -9 too, loses nothing that apply() took. A loss of power
// may, unless Durability::PowerLoss asks for an fsync each time (SQLite's synchronous=FULL); that
// costs a disk's latency a batch.
// In the loop, not on a writer thread: a batch costs some 20 µs and a row 2 to 3, less than waking
// another thread and being woken by it. The log is copied back into the file by checkpoint(), which
// has a connection of its own, so that its fsync holds up nobody who calls apply().
//
// Threads: apply() and checkpoint() from any thread. The others before the threads start.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace cw::store {

enum class Durability : std::uint8_t { ProcessDeath, PowerLoss };

// A binding. The views need to live during the call only.
struct LocationRow {
    std::string_view aor;
    std::string_view key;        // tells the bindings of one aor apart
    std::int64_t expires_ns = 0; // since 1970
    std::string_view data;       // empty: the binding is removed
};

using Stored = std::expected<void, std::string>; // or what went wrong, for a person

class Location {
  public:
    // Opens or makes the file. Refuses one that is damaged, is no database, or was written by a
    // later version than this one knows.
    static std::expected<std::unique_ptr<Location>, std::string> open(const std::string& path,
                                                                      Durability durability);
    ~Location();
    Location(const Location&) = delete;
    Location& operator=(const Location&) = delete;

    // Every row that has not expired at `now_ns`; the others are deleted.
    Stored load(std::int64_t now_ns, const std::function<void(const LocationRow&)>& take);
    // All of them or, on failure, none. When it returns they are durable, and `then` has run before
    // anybody else's rows could be: so the order on disk is the order in which others are told.
    Stored apply(std::span<const LocationRow> rows, const std::function<void()>& then = {});
    // Moves the log into the file, as far as it can without waiting for anybody.
    Stored checkpoint();

  private:
    struct CloseDatabase {
        void operator()(sqlite3* database) const;
        void operator()(sqlite3_stmt* statement) const;
    };
    using Database = std::unique_ptr<sqlite3, CloseDatabase>;
    using Statement = std::unique_ptr<sqlite3_stmt, CloseDatabase>;

    explicit Location(std::string path) : path_(std::move(path)) {}
    Stored connect(Database& database) const;
    Stored prepare_schema();
    Stored prepare(const char* sql, Statement& statement);
    Stored put(const LocationRow& row);
    Stored run(sqlite3* database, const char* sql) const;
    [[nodiscard]] std::unexpected<std::string> failed(sqlite3* database) const;

    std::string path_;
    std::mutex mutex_; // one writer at a time
    Database writer_;
    Statement begin_, commit_, rollback_, upsert_, remove_;
    std::mutex checkpoint_mutex_;
    Database checkpointer_;
};

} // namespace cw::store
