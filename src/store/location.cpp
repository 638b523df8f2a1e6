#include "store/location.hpp"

#include <sqlite3.h>

#include <utility>

namespace cw::store {
namespace {

constexpr int schema_version = 1;
constexpr int patience_ms = 2'000; // for another program that reads the file

constexpr const char* schema = "CREATE TABLE binding("
                               "  aor TEXT NOT NULL,"
                               "  key TEXT NOT NULL,"
                               "  expires_ns INTEGER NOT NULL,"
                               "  data BLOB NOT NULL,"
                               "  PRIMARY KEY(aor, key)"
                               ") WITHOUT ROWID;"
                               "PRAGMA user_version = 1;";

int bind(sqlite3_stmt* statement, int at, std::string_view text) {
    return sqlite3_bind_text(statement, at, text.data(), static_cast<int>(text.size()),
                             SQLITE_STATIC);
}

std::string_view column(sqlite3_stmt* statement, int at) {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, at));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, at));
    return bytes == nullptr ? std::string_view{} : std::string_view{bytes, size};
}

// Runs a statement that gives no rows, and makes it ready for the next time.
bool step(sqlite3_stmt* statement) {
    sqlite3_step(statement);
    return sqlite3_reset(statement) == SQLITE_OK;
}

} // namespace

void Location::CloseDatabase::operator()(sqlite3* database) const {
    sqlite3_close(database);
}
void Location::CloseDatabase::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

std::unexpected<std::string> Location::failed(sqlite3* database) const {
    return std::unexpected{path_ + ": " + sqlite3_errmsg(database)};
}

Stored Location::run(sqlite3* database, const char* sql) const {
    if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return failed(database);
    }
    return {};
}

Stored Location::connect(Database& database) const {
    sqlite3* opened = nullptr;
    const int result =
        sqlite3_open_v2(path_.c_str(), &opened,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    database.reset(opened); // to be closed also when it could not be opened
    if (result != SQLITE_OK) {
        return opened != nullptr ? failed(opened)
                                 : std::unexpected{path_ + ": no memory for the database"};
    }
    sqlite3_busy_timeout(opened, patience_ms);
    return {};
}

Stored Location::prepare(const char* sql, Statement& statement) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v3(writer_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr) !=
        SQLITE_OK) {
        return failed(writer_.get());
    }
    statement.reset(prepared);
    return {};
}

Stored Location::prepare_schema() {
    Statement version;
    if (auto r = prepare("PRAGMA user_version", version); !r) {
        return r;
    }
    if (sqlite3_step(version.get()) != SQLITE_ROW) {
        return failed(writer_.get());
    }
    const int found = sqlite3_column_int(version.get(), 0);
    version.reset();
    if (found > schema_version) {
        return std::unexpected{path_ + ": written by a later version of callwright (schema " +
                               std::to_string(found) + ", this one knows " +
                               std::to_string(schema_version) + ")"};
    }
    if (found == 0) {
        return run(writer_.get(), (std::string{"BEGIN IMMEDIATE;"} + schema + "COMMIT").c_str());
    }
    Statement check;
    if (auto r = prepare("PRAGMA quick_check(1)", check); !r) {
        return r;
    }
    if (sqlite3_step(check.get()) != SQLITE_ROW) {
        return failed(writer_.get());
    }
    if (const auto verdict = column(check.get(), 0); verdict != "ok") {
        return std::unexpected{path_ + ": damaged: " + std::string{verdict}};
    }
    return {};
}

std::expected<std::unique_ptr<Location>, std::string> Location::open(const std::string& path,
                                                                     Durability durability) {
    std::unique_ptr<Location> made{new Location(path)};
    auto& it = *made;
    if (auto r = it.connect(it.writer_); !r) {
        return std::unexpected{r.error()};
    }
    const char* synchronous = durability == Durability::PowerLoss ? "PRAGMA synchronous = FULL"
                                                                  : "PRAGMA synchronous = NORMAL";
    for (const char* sql :
         {"PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0", synchronous}) {
        if (auto r = it.run(it.writer_.get(), sql); !r) {
            return std::unexpected{r.error()};
        }
    }
    if (auto r = it.prepare_schema(); !r) {
        return std::unexpected{r.error()};
    }
    for (const auto& [sql, statement] :
         {std::pair{"BEGIN IMMEDIATE", &it.begin_}, std::pair{"COMMIT", &it.commit_},
          std::pair{"ROLLBACK", &it.rollback_},
          std::pair{"INSERT INTO binding VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET "
                    "expires_ns = ?3, data = ?4",
                    &it.upsert_},
          std::pair{"DELETE FROM binding WHERE aor = ?1 AND key = ?2", &it.remove_}}) {
        if (auto r = it.prepare(sql, *statement); !r) {
            return std::unexpected{r.error()};
        }
    }
    if (auto r = it.connect(it.checkpointer_); !r) {
        return std::unexpected{r.error()};
    }
    // SQLite 3.40: a connection that has not read the file yet does not know that it has a log, and
    // "checkpoints" nothing, without an error.
    if (auto r = it.run(it.checkpointer_.get(), "SELECT count(*) FROM sqlite_schema"); !r) {
        return std::unexpected{r.error()};
    }
    return made;
}

Location::~Location() = default;

Stored Location::load(std::int64_t now_ns, const std::function<void(const LocationRow&)>& take) {
    Statement expired;
    if (auto r = prepare("DELETE FROM binding WHERE expires_ns <= ?1", expired); !r) {
        return r;
    }
    sqlite3_bind_int64(expired.get(), 1, now_ns);
    if (!step(expired.get())) {
        return failed(writer_.get());
    }
    Statement all;
    if (auto r = prepare("SELECT aor, key, expires_ns, data FROM binding", all); !r) {
        return r;
    }
    int result = SQLITE_ROW;
    while ((result = sqlite3_step(all.get())) == SQLITE_ROW) {
        take({column(all.get(), 0), column(all.get(), 1), sqlite3_column_int64(all.get(), 2),
              column(all.get(), 3)});
    }
    if (result != SQLITE_DONE) {
        return failed(writer_.get());
    }
    return {};
}

Stored Location::put(const LocationRow& row) {
    auto* statement = row.data.empty() ? remove_.get() : upsert_.get();
    bind(statement, 1, row.aor);
    bind(statement, 2, row.key);
    if (!row.data.empty()) {
        sqlite3_bind_int64(statement, 3, row.expires_ns);
        sqlite3_bind_blob(statement, 4, row.data.data(), static_cast<int>(row.data.size()),
                          SQLITE_STATIC);
    }
    if (!step(statement)) {
        return failed(writer_.get());
    }
    return {};
}

Stored Location::apply(std::span<const LocationRow> rows, const std::function<void()>& then) {
    const std::lock_guard lock{mutex_};
    if (!step(begin_.get())) {
        return failed(writer_.get());
    }
    Stored result;
    for (std::size_t i = 0; i < rows.size() && result; ++i) {
        result = put(rows[i]);
    }
    if (result && !step(commit_.get())) {
        result = failed(writer_.get());
    }
    if (!result) {
        step(rollback_.get());
        return result;
    }
    if (then) {
        then();
    }
    return result;
}

Stored Location::checkpoint() {
    const std::lock_guard lock{checkpoint_mutex_};
    const int result = sqlite3_wal_checkpoint_v2(checkpointer_.get(), nullptr,
                                                 SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    // A passive checkpoint never waits: one that looks at the log's head while the writer changes
    // it is told that the file is busy. What it left stays in the log for the next.
    if (result != SQLITE_OK && result != SQLITE_BUSY) {
        return failed(checkpointer_.get());
    }
    return {};
}

} // namespace cw::store
