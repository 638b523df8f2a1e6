#include "store/call_store.hpp"

#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace cw::store {
namespace {

constexpr int store_version = 1;
constexpr int store_id = 0x43574353; // "CWCS", SQLite's application_id
constexpr int busy_ms = 5'000;
constexpr std::int64_t summary = -1; // position of the row that is not a message
// So much of a message can be searched.
constexpr std::size_t most_indexed = std::size_t{64} << 10;
constexpr int forgotten_at_once = 64; // calls, by one tidy()

// Words are found in `message_text`, which holds no text of its own: it asks for `message`.
constexpr const char* store_schema =
    "PRAGMA auto_vacuum = INCREMENTAL;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE call("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  start_ns INTEGER NOT NULL,"
    "  end_ns INTEGER NOT NULL,"
    "  record BLOB NOT NULL);"
    "CREATE INDEX call_end ON call(end_ns);"
    "CREATE TABLE message("
    "  id INTEGER PRIMARY KEY,"
    "  call INTEGER NOT NULL,"
    "  position INTEGER NOT NULL,"
    "  bytes TEXT NOT NULL);"
    "CREATE INDEX message_call ON message(call, position);"
    "CREATE VIRTUAL TABLE message_text USING fts5("
    "  bytes, content='message', content_rowid='id', tokenize='unicode61', columnsize=0);"
    "PRAGMA application_id = 1129792339;"
    "PRAGMA user_version = 1;"
    "COMMIT";
static_assert(store_id == 1129792339);

void bind_text(sqlite3_stmt* statement, int at, std::string_view text) {
    sqlite3_bind_text(statement, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

std::string_view text_column(sqlite3_stmt* statement, int at) {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, at));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, at));
    return bytes == nullptr ? std::string_view{} : std::string_view{bytes, size};
}

bool done(sqlite3_stmt* statement) {
    sqlite3_step(statement);
    return sqlite3_reset(statement) == SQLITE_OK;
}

} // namespace

std::string full_text_query(std::string_view words) {
    std::string out;
    const auto add = [&](std::string_view word) {
        const bool beginning = word.ends_with('*');
        word.remove_suffix(beginning ? 1 : 0);
        // What has no letter or digit has no token either, and would match nothing.
        if (!std::ranges::any_of(word,
                                 [](char c) { return (c & 0x80) != 0 || std::isalnum(c) != 0; })) {
            return;
        }
        out += out.empty() ? "\"" : " AND \"";
        std::ranges::copy_if(word, std::back_inserter(out), [](char c) { return c != '\0'; });
        out += beginning ? "\"*" : "\"";
    };
    while (!words.empty()) {
        if (words.front() == ' ' || words.front() == '\t') {
            words.remove_prefix(1);
        } else if (words.front() == '"') {
            words.remove_prefix(1);
            const auto end = std::min(words.find('"'), words.size());
            add(words.substr(0, end));
            words.remove_prefix(std::min(end + 1, words.size()));
        } else {
            const auto end = std::min(words.find_first_of(" \t\""), words.size());
            add(words.substr(0, end));
            words.remove_prefix(end);
        }
    }
    return out;
}

void CallStore::Close::operator()(sqlite3* database) const {
    sqlite3_close(database);
}
void CallStore::Close::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

CallStore::~CallStore() {
    if (in_batch_) {
        commit();
    }
}

std::unexpected<std::string> CallStore::failed() const {
    return std::unexpected{path_ + ": " + sqlite3_errmsg(database_.get())};
}

CallStore::Done CallStore::run(const char* sql) {
    if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return failed();
    }
    return {};
}

CallStore::Done CallStore::prepare(const char* sql, Statement& statement) {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared,
                           nullptr) != SQLITE_OK) {
        return failed();
    }
    statement.reset(prepared);
    return {};
}

// -1: it could not be asked.
std::int64_t CallStore::number_of(const char* sql) {
    Statement statement;
    if (!prepare(sql, statement) || sqlite3_step(statement.get()) != SQLITE_ROW) {
        return -1;
    }
    return sqlite3_column_int64(statement.get(), 0);
}

CallStore::Done CallStore::connect(Mode mode) {
    if (mode == Mode::Write) {
        // SQLite gives its log the mode of the file.
        const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0) {
            ::close(fd);
        }
    }
    sqlite3* opened = nullptr;
    const int result = sqlite3_open_v2(path_.c_str(), &opened,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    database_.reset(opened);
    if (result != SQLITE_OK) {
        return opened != nullptr ? failed()
                                 : std::unexpected{path_ + ": no memory for the database"};
    }
    sqlite3_busy_timeout(opened, busy_ms);
    // The file may come from anywhere: nothing in its schema is to run but what it names.
    sqlite3_db_config(opened, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(opened, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    return {};
}

CallStore::Done CallStore::prepare_schema(Mode mode) {
    const auto id = number_of("PRAGMA application_id");
    const auto version = number_of("PRAGMA user_version");
    const auto tables = number_of("SELECT count(*) FROM sqlite_master");
    if (id < 0 || version < 0 || tables < 0) {
        return failed();
    }
    if (tables == 0 && mode == Mode::Write) {
        return run(store_schema);
    }
    if (id != store_id) {
        return std::unexpected{path_ + ": not a store of calls; watch --store makes one"};
    }
    if (version > store_version) {
        return std::unexpected{path_ + ": written by a later version of callwright (schema " +
                               std::to_string(version) + ", this one knows " +
                               std::to_string(store_version) + ")"};
    }
    return {};
}

std::expected<std::unique_ptr<CallStore>, std::string>
CallStore::open(const std::string& path, Mode mode, flow::AlertName alert_name) {
    std::unique_ptr<CallStore> store{new CallStore(path, alert_name)};
    auto& it = *store;
    const std::pair<const char*, Statement*> statements[] = {
        {"INSERT INTO call(start_ns, end_ns, record) VALUES(?1, ?2, ?3)", &it.put_call_},
        {"INSERT INTO message(call, position, bytes) VALUES(?1, ?2, ?3)", &it.put_message_},
        {"INSERT INTO message_text(rowid, bytes) VALUES(?1, ?2)", &it.index_message_},
        {"SELECT id, end_ns FROM call ORDER BY end_ns LIMIT ?1", &it.oldest_},
        {"INSERT INTO message_text(message_text, rowid, bytes) "
         "SELECT 'delete', id, bytes FROM message WHERE call = ?1",
         &it.unindex_},
        {"DELETE FROM message WHERE call = ?1", &it.drop_messages_},
        {"DELETE FROM call WHERE id = ?1", &it.drop_call_},
        {"SELECT record FROM call WHERE id = ?1", &it.record_},
        {"SELECT position, bytes FROM message WHERE call = ?1 AND position >= 0 ORDER BY position",
         &it.messages_},
    };
    if (auto r = it.connect(mode); !r) {
        return std::unexpected{r.error()};
    }
    if (auto r = it.prepare_schema(mode); !r) {
        return std::unexpected{r.error()};
    }
    if (auto r = it.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
                        "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16000");
        !r) {
        return std::unexpected{r.error()};
    }
    for (const auto& [sql, statement] : statements) {
        if (auto r = it.prepare(sql, *statement); !r) {
            return std::unexpected{r.error()};
        }
    }
    return store;
}

CallStore::Done CallStore::begin() {
    if (std::exchange(in_batch_, true)) {
        return {};
    }
    auto begun = run("BEGIN IMMEDIATE");
    in_batch_ = begun.has_value();
    return begun;
}

CallStore::Done CallStore::commit() {
    if (!std::exchange(in_batch_, false)) {
        return {};
    }
    auto committed = run("COMMIT");
    if (!committed) {
        static_cast<void>(run("ROLLBACK"));
    }
    return committed;
}

CallStore::Done CallStore::put_message(std::int64_t call, std::int64_t position,
                                       std::string_view bytes) {
    bytes = bytes.substr(0, std::min<std::size_t>(bytes.size(), INT32_MAX));
    auto* row = put_message_.get();
    sqlite3_bind_int64(row, 1, call);
    sqlite3_bind_int64(row, 2, position);
    bind_text(row, 3, bytes);
    if (!done(row)) {
        return failed();
    }
    if (bytes.size() > most_indexed) {
        return {}; // it is kept, and not found by its words
    }
    auto* words = index_message_.get();
    sqlite3_bind_int64(words, 1, sqlite3_last_insert_rowid(database_.get()));
    bind_text(words, 2, bytes);
    return done(words) ? Done{} : failed();
}

std::expected<std::int64_t, std::string> CallStore::put(const flow::Call& call,
                                                        std::span<const std::string_view> messages,
                                                        std::string_view words) {
    if (auto r = begin(); !r) {
        return std::unexpected{r.error()};
    }
    std::string record;
    flow::append_record(call, record);
    auto* row = put_call_.get();
    sqlite3_bind_int64(row, 1, call.start.ns);
    sqlite3_bind_int64(row, 2, call.end.ns);
    sqlite3_bind_blob(row, 3, record.data(), static_cast<int>(record.size()), SQLITE_STATIC);
    if (!done(row)) {
        return failed();
    }
    const auto number = sqlite3_last_insert_rowid(database_.get());
    if (auto r = put_message(number, summary, words); !r) {
        return std::unexpected{r.error()};
    }
    for (std::size_t i = 0; i < messages.size(); ++i) {
        if (auto r = put_message(number, static_cast<std::int64_t>(i), messages[i]); !r) {
            return std::unexpected{r.error()};
        }
    }
    return number;
}

CallStore::Done CallStore::forget(std::int64_t call) {
    for (auto* statement : {unindex_.get(), drop_messages_.get(), drop_call_.get()}) {
        sqlite3_bind_int64(statement, 1, call);
        if (!done(statement)) {
            return failed();
        }
    }
    return {};
}

CallStore::Done CallStore::tidy(const Settings& settings, Instant now) {
    const auto in_use = bytes();
    const auto first_kept = (now - settings.age).ns;
    std::vector<std::int64_t> old;
    auto* rows = oldest_.get();
    sqlite3_bind_int(rows, 1, forgotten_at_once);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        if (in_use > settings.bytes || sqlite3_column_int64(rows, 1) < first_kept) {
            old.push_back(sqlite3_column_int64(rows, 0));
        }
    }
    sqlite3_reset(rows);
    if (old.empty()) {
        return {};
    }
    if (auto r = begin(); !r) {
        return r;
    }
    for (const auto call : old) {
        if (auto r = forget(call); !r) {
            return r;
        }
    }
    if (auto r = commit(); !r) {
        return r;
    }
    return run("PRAGMA incremental_vacuum(256)");
}

std::int64_t CallStore::calls() {
    return std::max<std::int64_t>(number_of("SELECT count(*) FROM call"), 0);
}

std::uint64_t CallStore::bytes() {
    const auto pages = number_of("PRAGMA page_count") - number_of("PRAGMA freelist_count");
    return static_cast<std::uint64_t>(std::max<std::int64_t>(pages, 0)) *
           static_cast<std::uint64_t>(std::max<std::int64_t>(number_of("PRAGMA page_size"), 0));
}

CallStore::Done CallStore::search(const Query& query,
                                  const std::function<bool(const Found&)>& visit) {
    const auto words = full_text_query(query.words);
    if (words.empty() && !query.words.empty()) {
        return std::unexpected{"\"" + query.words + "\": no word in it; letters or digits are"};
    }
    // By words: rows of the index come in the order of their numbers, so the latest call first.
    const char* sql =
        words.empty()
            ? "SELECT id, -1 FROM call WHERE id < ?2 AND start_ns >= ?3 AND start_ns < ?4 "
              "ORDER BY id DESC"
            : "SELECT m.call, m.position FROM message_text "
              "JOIN message m ON m.id = message_text.rowid JOIN call c ON c.id = m.call "
              "WHERE message_text MATCH ?1 AND m.call < ?2 AND c.start_ns >= ?3 AND "
              "c.start_ns < ?4 ORDER BY message_text.rowid DESC";
    Statement rows;
    if (auto r = prepare(sql, rows); !r) {
        return r;
    }
    if (!words.empty()) {
        bind_text(rows.get(), 1, words);
    }
    sqlite3_bind_int64(rows.get(), 2, query.before);
    sqlite3_bind_int64(rows.get(), 3, query.since.known() ? query.since.ns : INT64_MIN);
    sqlite3_bind_int64(rows.get(), 4, query.until.known() ? query.until.ns : INT64_MAX);
    Found found;
    std::size_t count = 0;
    int status = sqlite3_step(rows.get());
    for (; status == SQLITE_ROW; status = sqlite3_step(rows.get())) {
        const auto number = sqlite3_column_int64(rows.get(), 0);
        const auto position = sqlite3_column_int64(rows.get(), 1);
        if (number != found.number && found.number != 0) {
            if (!visit(found) || ++count >= query.most) {
                return {};
            }
            found = {};
        }
        // Rows of one call come one behind the other, the latest message first.
        found.number = number;
        if (position >= 0) {
            found.message = static_cast<std::uint32_t>(position);
        }
    }
    if (status != SQLITE_DONE) {
        return failed();
    }
    if (found.number != 0) {
        visit(found);
    }
    return {};
}

std::expected<bool, std::string> CallStore::load(std::int64_t number, const Visit& visit) {
    auto* row = record_.get();
    sqlite3_bind_int64(row, 1, number);
    const int status = sqlite3_step(row);
    if (status != SQLITE_ROW) {
        sqlite3_reset(row);
        return status == SQLITE_DONE ? std::expected<bool, std::string>{false} : failed();
    }
    flow::Call call;
    const bool read = flow::read_record(text_column(row, 0), call, alert_name_);
    sqlite3_reset(row);
    if (!read) {
        return std::unexpected{path_ + ": call " + std::to_string(number) + " is damaged"};
    }
    call.id = static_cast<std::uint32_t>(number);
    std::vector<std::string> kept(call.messages.size());
    auto* rows = messages_.get();
    sqlite3_bind_int64(rows, 1, number);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        const auto position = static_cast<std::size_t>(sqlite3_column_int64(rows, 0));
        if (position < kept.size()) {
            kept[position] = text_column(rows, 1);
        }
    }
    if (sqlite3_reset(rows) != SQLITE_OK) {
        return failed();
    }
    visit(call, {kept.begin(), kept.end()});
    return true;
}

} // namespace cw::store
