#include "play/load/rows.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace cw::play {

namespace {

class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {
        if (text_.starts_with("\xef\xbb\xbf")) { // as spreadsheets begin their files
            text_.remove_prefix(3);
        }
    }
    [[nodiscard]] bool done() const { return at_ >= text_.size(); }
    [[nodiscard]] std::size_t line() const { return line_; }

    // The fields of one line; nothing when a quotation mark is not closed.
    std::optional<std::vector<std::string>> record() {
        std::vector<std::string> out;
        for (;;) {
            std::string field;
            if (!read(field)) {
                return std::nullopt;
            }
            out.push_back(std::move(field));
            if (done() || text_[at_] != ',') {
                break;
            }
            ++at_;
        }
        if (!done() && text_[at_] == '\r') {
            ++at_;
        }
        if (!done() && text_[at_] == '\n') {
            ++at_;
            ++line_;
        }
        return out;
    }

  private:
    bool read(std::string& field) {
        while (!done() && (text_[at_] == ' ' || text_[at_] == '\t')) {
            ++at_;
        }
        if (done() || text_[at_] != '"') {
            const auto end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
            field = text_.substr(at_, end - at_);
            field.erase(field.find_last_not_of(" \t") + 1);
            at_ = end;
            return true;
        }
        for (++at_; !done(); ++at_) {
            if (text_[at_] == '\n') {
                ++line_;
            }
            if (text_[at_] != '"') {
                field += text_[at_];
            } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
                field += text_[++at_];
            } else {
                at_ = std::min(text_.find_first_of(",\r\n", at_ + 1), text_.size());
                return true;
            }
        }
        return false;
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
};

} // namespace

std::map<std::string, std::string> Rows::row(std::size_t n) const {
    std::map<std::string, std::string> out;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        out.emplace(columns[i], rows[n][i]);
    }
    return out;
}

std::expected<Rows, std::string> parse_rows(std::string_view text) {
    Reader reader{text};
    Rows out;
    while (!reader.done()) {
        const auto line = reader.line();
        auto record = reader.record();
        if (!record) {
            return std::unexpected{fmt::format("line {}: a quotation mark is not closed", line)};
        }
        if (record->size() == 1 && record->front().empty()) {
            continue;
        }
        if (out.columns.empty()) {
            if (record->size() > limit::csv_columns) {
                return std::unexpected{std::string{"line 1: too many columns"}};
            }
            out.columns = std::move(*record);
            continue;
        }
        if (record->size() != out.columns.size()) {
            return std::unexpected{fmt::format("line {}: {} values, but the heading has {} columns",
                                               line, record->size(), out.columns.size())};
        }
        if (out.rows.size() == limit::csv_rows) {
            return std::unexpected{fmt::format("line {}: too many rows", line)};
        }
        out.rows.push_back(std::move(*record));
    }
    if (out.rows.empty()) {
        return std::unexpected{std::string{"it has no row below its heading"}};
    }
    return out;
}

} // namespace cw::play
