// The terminal's screens, with sngrep's keys: the list of calls, the ladder of one, a message as it
// was written, two messages beside each other, help. Takes keys, gives whole frames; knows no
// terminal, no file and no Book: what it needs of these it asks its Source.
//
// Single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "view/ladder.hpp"
#include "view/ladder_text.hpp"

namespace cw::view {

// A line of the list; all texts printable.
struct ScreenRow {
    std::uint32_t id = 0;     // what it is known by
    std::uint32_t number = 0; // what it is shown with; 0: its id
    [[nodiscard]] std::uint32_t shown_number() const { return number != 0 ? number : id; }
    std::string kind, time, from, to, end, security, rules, weakest;
    std::string outcome; // `end` without its figures: "completed"
    std::size_t messages = 0;
    Tone state = Tone::Plain;
    Tone safe = Tone::Plain;
};

struct ScreenCall {
    Ladder ladder;
    std::vector<std::string> messages; // as they were on the wire
    std::vector<bool> sdp;             // by message: it carries a session description
};

// Several calls on one ladder, in the order of time; columns of the same name and address are one.
ScreenCall merge_calls(std::vector<ScreenCall> calls);

struct Saved {
    bool done = false; // the file is there, whole
    std::string said;  // what to say about it
};

struct ScreenSource {
    std::function<ScreenCall(std::uint32_t id, flow::Boxes::Of columns)> load;
    // The calls that fit a filter; false and in `why` what is wrong with it. Live, an empty one,
    // too.
    std::function<bool(const std::string& filter, std::set<std::uint32_t>& fit, std::string& why)>
        filter;
    // Writes calls to a file.
    std::function<Saved(const std::vector<std::uint32_t>& ids, const std::string& path)> save;
    // There is such a file already.
    std::function<bool(const std::string& path)> exists = {};
    // Keeps the columns of the list for the next time; returns what to say about it.
    std::function<std::string(const std::string& columns)> keep_columns = {};
    // Live: forgets calls that have ended, all or those that the filter hides. Empty: the calls are
    // those of a capture that is over.
    std::function<void(bool hidden_only)> forget = {};
    // Nobody else keeps the calls: who leaves is asked, unless all are saved.
    bool calls_are_lost = false;
};

// The row of a call; `live`: it may go on.
ScreenRow screen_row(const flow::Call& call, bool live = false);

struct ScreenOptions {
    std::size_t width = 80;
    std::size_t height = 24;
    bool ascii = false;
    bool colour = true;
    bool colours_256 = false;
    std::string columns =
        {}; // of the list, as keep_columns was told: "time from -kind"; empty: all
};

class Screen {
  public:
    Screen(std::vector<ScreenRow> rows, ScreenSource source, const ScreenOptions& options);

    // ---- live
    // A call that is new or has changed; `fits` the filter. Shown by settle().
    void put(ScreenRow row, bool fits);
    // It is no more; `into` is the call that it became part of, or 0.
    void remove(std::uint32_t id, std::uint32_t into);
    // Arranges what came since the last time. What was chosen stays chosen.
    void settle();
    // What is watched, and how it goes: for the first line.
    void tell(std::string status, Tone tone);
    // All calls of a capture were put; where it is one, its ladder is what is wanted.
    void all_here();
    [[nodiscard]] bool paused() const { return paused_; }

    // False: the user wants to leave.
    bool key(const std::string& key);
    void resize(std::size_t width, std::size_t height);
    // All lines of the screen, each with what places and ends it.
    [[nodiscard]] std::string frame() const;
    // The same without any escape sequence, a line each.
    [[nodiscard]] std::string text() const;

  private:
    enum class At : std::uint8_t {
        List,
        Flow,
        Raw,
        Compare,
        Verdict,
        Help,
        Stats,
        Settings,
        Columns,
        Save
    };
    enum class Prompt : std::uint8_t { None, Search, Filter, Overwrite, Leave };
    struct Line {
        std::string text;
        bool chosen = false;
    };
    static constexpr std::size_t settings_count = 7;
    struct ListColumn {
        std::size_t which = 0; // time, kind, from, to, end, messages, security, findings, weakest
        bool shown = true;
    };

    bool list_key(const std::string& key);
    bool flow_key(const std::string& key);
    bool raw_key(const std::string& key);
    void dialog_key(const std::string& key);
    void open_dialog(At dialog);
    void read_columns(std::string_view text);
    [[nodiscard]] std::string columns_text() const;
    [[nodiscard]] std::vector<std::size_t> seen_columns() const;
    void sort_by_neighbour(bool next);
    template <class Self> // constant or not
    static auto settings_of(Self& self);
    void swap_names();
    bool prompt_key(const std::string& key);
    void edit_typed(const std::string& key);
    void ask(Prompt prompt);
    struct Choice { // of what is to be saved
        std::string words;
        std::vector<std::uint32_t> ids;
    };
    [[nodiscard]] std::vector<Choice> choices() const;
    [[nodiscard]] std::uint32_t number_of(std::uint32_t id) const;
    void open_save();
    void save_key(const std::string& key);
    void save_chosen();
    [[nodiscard]] std::size_t unsaved() const;
    bool leave();
    void apply_filter();
    void arrange();
    [[nodiscard]] bool is_shown(const ScreenRow& row) const;
    void choose(std::uint32_t id);
    void take(ScreenRow row, bool fits);
    void drop_removed();
    void reload_flow();
    void pause();
    [[nodiscard]] bool live() const { return static_cast<bool>(source_.forget); }
    void move(std::ptrdiff_t by);
    [[nodiscard]] std::ptrdiff_t step_of(const std::string& key) const; // 0: it is no movement
    void open_flow();
    [[nodiscard]] ScreenCall load_flow() const;
    void show_loaded(ScreenCall call);
    void load_again(const std::string& said);
    void shift_times(bool to_start);
    void only_invites();
    void select_all();
    void click(std::string_view place);
    [[nodiscard]] std::size_t lines_above() const; // the rows of list or ladder
    [[nodiscard]] std::size_t room() const;        // lines of rows
    void lay_out_flow();
    void open_raw(std::uint32_t number);
    void mark();
    void back();
    [[nodiscard]] std::uint32_t chosen_number() const;
    [[nodiscard]] std::vector<std::uint32_t> selection() const;
    [[nodiscard]] std::size_t page() const;
    [[nodiscard]] std::size_t ladder_width() const;

    [[nodiscard]] std::vector<Line> lines() const;
    void paint_list(std::vector<Line>& out) const;
    void paint_flow(std::vector<Line>& out) const;
    void paint_raw(std::vector<Line>& out) const;
    void paint_compare(std::vector<Line>& out) const;
    void paint_verdict(std::vector<Line>& out) const;
    void paint_help(std::vector<Line>& out) const;
    void paint_stats(std::vector<Line>& out) const;
    void paint_settings(std::vector<Line>& out) const;
    void paint_columns(std::vector<Line>& out) const;
    void paint_save(std::vector<Line>& out) const;
    [[nodiscard]] std::string bar() const;
    [[nodiscard]] std::string list_line(const ScreenRow* row) const;
    [[nodiscard]] std::string ink(std::string_view text, Tone tone) const;
    // Of a message; 0: of all, one behind the other.
    [[nodiscard]] std::vector<std::string> message_lines(std::uint32_t number) const;
    void append_message(std::vector<std::string>& out, std::uint32_t number) const;
    // How the call was protected, hop by hop: wrapped to the screen.
    [[nodiscard]] std::vector<std::string> verdict_lines() const;
    [[nodiscard]] std::vector<std::string> pane_lines(std::uint32_t number,
                                                      std::size_t width) const;

    std::vector<ScreenRow> rows_;
    ScreenSource source_;
    ScreenOptions options_;
    At at_ = At::List;
    At before_ = At::List; // where help and raw came from
    Prompt prompt_ = Prompt::None;
    std::string typed_;
    std::string said_;
    // The list.
    std::vector<std::size_t> shown_; // in rows_
    std::size_t chosen_ = 0;         // in shown_
    std::set<std::uint32_t> selected_;
    std::set<std::uint32_t> saved_; // of rows_, as they are now
    std::string search_;
    std::string filter_;
    std::set<std::uint32_t> fit_;
    std::size_t column_ = 0; // that it is sorted by
    bool upwards_ = false;
    std::vector<ListColumn> columns_;
    bool own_columns_ = false; // chosen by the user: then they stay where the screen is narrow
    std::size_t dialog_ = 0;   // place in a dialog
    // Live.
    std::unordered_map<std::uint32_t, std::size_t> place_of_;  // in rows_
    std::unordered_map<std::uint32_t, std::uint32_t> removed_; // and what they became part of
    std::vector<std::pair<ScreenRow, bool>> held_;             // came while it was paused
    std::string status_;
    Tone status_tone_ = Tone::Plain;
    bool paused_ = false;
    bool follow_ = false;                 // the newest call is chosen
    bool disordered_ = false;             // rows changed since arrange()
    bool flow_stale_ = false;             // a call on the ladder changed
    std::vector<std::uint32_t> flow_ids_; // the calls on the ladder
    // The ladder.
    ScreenCall call_;
    TextLines lines_;
    std::vector<std::size_t> places_; // lines of lines_.rows that are shown
    std::size_t place_ = 0;           // in places_
    std::vector<std::uint32_t> marked_;
    std::size_t sideways_ = 0;
    bool media_ = true;
    bool only_sdp_ = false;
    bool only_media_ = false;
    bool by_leg_ = false;
    bool syntax_ = true;     // messages are coloured
    bool addresses_ = false; // stand where names stood
    bool one_leg_ = false;
    bool since_start_ = false; // times on the ladder count from its first row
    Instant start_;            // which was at this time
    bool letters_ = false;     // the bar names the other keys
    flow::Boxes::Of ladder_columns_ = flow::Boxes::Of::Programs;
    bool pane_ = true;
    std::ptrdiff_t pane_change_ = 0;
    // A message.
    std::uint32_t raw_ = 0;              // 0: all of them
    std::vector<std::string> raw_lines_; // of raw_
    std::uint32_t other_ = 0;
    std::size_t top_ = 0;
};

} // namespace cw::view
