// SIPp's injection files (-inf): a first line that says how rows are taken, then a row a line, its
// fields parted by semicolons. Values that own what they hold; safe to read from several threads.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace cw::script::sipp {

namespace limit {
inline constexpr std::size_t injected_rows = 5'000'000;
inline constexpr std::size_t injected_fields = 256;
} // namespace limit

struct Injection {
    enum class Order : std::uint8_t { Sequential, Random };

    std::string path;
    std::string name; // of the file, without its folder
    Order order = Order::Sequential;
    // PRINTF=N: one row a pattern, N rows made of it; "%04d" in a field is its number
    // · PRINTFMULTIPLE + PRINTFOFFSET. 0: rows are as they stand.
    std::uint64_t printed = 0;
    std::int64_t printed_offset = 0;
    std::int64_t printed_multiple = 1;
    std::vector<std::vector<std::string>> rows;

    [[nodiscard]] std::uint64_t size() const { return printed != 0 ? printed : rows.size(); }
    // Of the `call`th call, from 1 on. `chance`: any number, the same for all fields of a call.
    [[nodiscard]] std::uint64_t row_of(std::uint64_t call, std::uint64_t chance) const;
    // Nothing where the row has no such field.
    [[nodiscard]] std::optional<std::string> field(std::uint64_t row, std::size_t number) const;
};

// The fields of all files for one call: "field0" of the first, and "users.csv/field0" of each.
void fill_row(const std::vector<Injection>& files, std::uint64_t call, std::uint64_t chance,
              std::map<std::string, std::string>& row);

// Files that a scenario changes while it is performed (<insert>, <replace>), and looks into
// (<lookup>). One thread; what one call changes, those after it see.
class Tables {
  public:
    explicit Tables(std::vector<Injection> files);

    [[nodiscard]] const std::vector<Injection>& files() const { return files_; }
    // By name or path; an empty one is the first. nullptr: there is none.
    [[nodiscard]] const Injection* find(std::string_view file) const;
    // The last row that has `key` in its first field; else in its second, and so on.
    [[nodiscard]] std::optional<std::uint64_t> look_up(std::string_view file, std::string_view key);
    // `row`: "a;b;c". False: there is no such file or row, or no room.
    bool insert(std::string_view file, std::string_view row);
    bool replace(std::string_view file, std::uint64_t number, std::string_view row);

  private:
    using Index = std::unordered_map<std::string, std::uint64_t>;
    [[nodiscard]] std::size_t place_of(std::string_view file) const;
    void enter(std::size_t file, std::uint64_t number);

    std::vector<Injection> files_;
    std::vector<std::vector<Index>> indices_; // by file and field, as far as they were needed
};

// Does it begin as one, with SEQUENTIAL, RANDOM or USER?
bool is_injection(std::string_view text);
// Fails with a sentence.
std::expected<Injection, std::string> read_injection(std::string_view text, std::string path);

} // namespace cw::script::sipp
