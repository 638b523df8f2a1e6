// What was seen, kept: calls with the bytes of their messages and what was found in them, as rows
// of an SQLite file that can be searched by words (FTS5) and forgets what is old or too much.
//
// Durability: put() gathers, commit() makes durable as Location does (store/location.hpp): the
// death of the process, kill -9 too, loses nothing that was committed. Another process may read
// the file meanwhile. The file holds whole messages, credentials included: its mode is 0600.
//
// One thread.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "flow/call.hpp"
#include "flow/call_record.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace cw::store {

class CallStore {
  public:
    using Done = std::expected<void, std::string>; // or what went wrong, for a person
    struct Settings {
        Duration age =
            seconds(std::int64_t{30} * 24 * 3600);    // calls that ended before are forgotten
        std::uint64_t bytes = std::uint64_t{1} << 30; // of the file, about
    };
    enum class Mode : std::uint8_t { Write, Read };

    // Write: opens the file or makes it. Read: it must be there. Refuses a file that is damaged, is
    // none of ours, or was written by a later version. `alert_name`: see flow/call_record.hpp.
    static std::expected<std::unique_ptr<CallStore>, std::string>
    open(const std::string& path, Mode mode, flow::AlertName alert_name);
    ~CallStore();
    CallStore(const CallStore&) = delete;
    CallStore& operator=(const CallStore&) = delete;

    // ---- writing
    // A call that has ended; `messages` are its messages' bytes, in their order, empty where they
    // are not known. `words` is what else it is to be found by: names of findings and the like.
    // Returns its number, which is never given again.
    std::expected<std::int64_t, std::string>
    put(const flow::Call& call, std::span<const std::string_view> messages, std::string_view words);
    Done commit();
    // Forgets what `settings` does not want, as much as takes some milliseconds: call it often.
    Done tidy(const Settings& settings, Instant now);

    // ---- reading
    struct Query {
        std::string words; // all of them must occur in one message; "…" is a phrase, x* a beginning
        Instant since{}, until{};        // start of the call; not known(): any
        std::int64_t before = INT64_MAX; // numbers below
        std::size_t most = 100;
    };
    struct Found {
        std::int64_t number = 0;
        std::uint32_t message = flow::none; // index of the first one that has the words
    };
    // The latest first, until `visit` returns false. Costs what is found, not what is kept.
    Done search(const Query& query, const std::function<bool(const Found&)>& visit);
    // The call has its number as id. The views live until the next call.
    using Visit =
        std::function<void(const flow::Call& call, const std::vector<std::string_view>& messages)>;
    // False when there is none of this number.
    std::expected<bool, std::string> load(std::int64_t number, const Visit& visit);
    [[nodiscard]] std::int64_t calls();
    [[nodiscard]] std::uint64_t bytes(); // of the file that are in use

  private:
    struct Close {
        void operator()(sqlite3* database) const;
        void operator()(sqlite3_stmt* statement) const;
    };
    using Database = std::unique_ptr<sqlite3, Close>;
    using Statement = std::unique_ptr<sqlite3_stmt, Close>;

    CallStore(std::string path, flow::AlertName alert_name)
        : path_(std::move(path)), alert_name_(alert_name) {}
    Done connect(Mode mode);
    Done prepare_schema(Mode mode);
    Done prepare(const char* sql, Statement& statement);
    Done run(const char* sql);
    std::int64_t number_of(const char* sql);
    Done begin();
    Done put_message(std::int64_t call, std::int64_t position, std::string_view bytes);
    Done forget(std::int64_t call);
    [[nodiscard]] std::unexpected<std::string> failed() const;

    std::string path_;
    flow::AlertName alert_name_;
    Database database_;
    Statement put_call_, put_message_, index_message_;
    Statement oldest_, unindex_, drop_messages_, drop_call_;
    Statement record_, messages_;
    bool in_batch_ = false;
};

// What a person types as what FTS5 takes: every word becomes a phrase of its own, so that nothing
// in it is an operator. Empty when there is no word.
std::string full_text_query(std::string_view words);

} // namespace cw::store
