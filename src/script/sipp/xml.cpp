#include "script/sipp/xml.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/utf8.hpp"

namespace cw::script::sipp {
namespace {

constexpr bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}
constexpr bool is_name_letter(char c) {
    return is_alpha(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == ':';
}

// "lt", "#10", "#x0a".
std::optional<std::uint32_t> letter_of(std::string_view entity) {
    constexpr std::array<std::pair<std::string_view, char>, 5> named{
        {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}}};
    for (const auto& [name, letter] : named) {
        if (name == entity) {
            return static_cast<std::uint32_t>(letter);
        }
    }
    if (!entity.starts_with('#') || entity.size() < 2 || entity.size() > 9) {
        return std::nullopt;
    }
    std::uint32_t code = 0;
    const bool hex = entity[1] == 'x' || entity[1] == 'X';
    const auto digits = entity.substr(hex ? 2 : 1);
    for (const char c : digits) {
        const auto digit = is_digit(c) ? c - '0'
                           : hex && ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f'
                               ? ascii_lower(c) - 'a' + 10
                               : -1;
        if (digit < 0) {
            return std::nullopt;
        }
        code = code * (hex ? 16 : 10) + static_cast<std::uint32_t>(digit);
    }
    const bool letter =
        !digits.empty() && code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
    return letter ? std::optional{code} : std::nullopt;
}

class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {
        if (text_.starts_with("\xef\xbb\xbf")) {
            at_ = 3;
        }
    }

    std::expected<Document, Note> run() {
        if (text_.size() > limit::bytes) {
            return std::unexpected{
                Note{{1, 1, 0, false}, fmt::format("more than {} MiB", limit::bytes >> 20U)}};
        }
        while (!failure_ && !done_ && at_ < text_.size()) {
            step();
        }
        if (!failure_ && !done_) {
            end_of_text();
        }
        if (failure_) {
            return std::unexpected{std::move(*failure_)};
        }
        if (omitted_ > 0) {
            out_.repairs.push_back(
                {place(text_.size()), fmt::format("{} more of these", omitted_)});
        }
        return std::move(out_);
    }

  private:
    [[nodiscard]] Place place(std::size_t offset) {
        // Offsets are asked for in rising order, nearly always.
        if (offset < counted_) {
            counted_ = 0;
            line_ = 1;
            line_start_ = 0;
        }
        for (; counted_ < offset; ++counted_) {
            if (text_[counted_] == '\n') {
                ++line_;
                line_start_ = counted_ + 1;
            }
        }
        return {line_, static_cast<std::uint32_t>(offset - line_start_ + 1), 1, false};
    }
    void fail(std::size_t offset, std::string what) {
        if (!failure_) {
            failure_ = Note{place(offset), std::move(what)};
        }
    }
    void repair(std::size_t offset, std::string what) {
        if (out_.repairs.size() == limit::repairs) {
            ++omitted_;
        } else {
            out_.repairs.push_back({place(offset), std::move(what)});
        }
    }
    [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }
    [[nodiscard]] Element* top() { return open_.empty() ? nullptr : &open_.back(); }

    void step() {
        const auto open = text_.find('<', at_);
        const auto between = text_.substr(at_, open - at_);
        if (auto* element = top(); element != nullptr && !element->cdata && open_.size() > 1) {
            element->text += between;
        }
        at_ = std::min(open, text_.size());
        if (at_ == text_.size()) {
            return;
        }
        if (rest().starts_with("<!--")) {
            skip_to("-->", "this comment has no end");
        } else if (rest().starts_with("<![CDATA[")) {
            read_cdata();
        } else if (rest().starts_with("<?")) {
            skip_to("?>", "this instruction has no end");
        } else if (rest().starts_with("<!")) {
            skip_declaration();
        } else if (rest().starts_with("</")) {
            read_end();
        } else if (at_ + 1 < text_.size() && is_name_letter(text_[at_ + 1])) {
            read_begin();
        } else {
            repair(at_, "a “<” that begins nothing");
            ++at_;
        }
    }

    void skip_to(std::string_view mark, const char* what) {
        const auto end = text_.find(mark, at_);
        if (end == std::string_view::npos) {
            fail(at_, what);
            return;
        }
        at_ = end + mark.size();
    }

    // <!DOCTYPE …>, also with declarations in it: none of them means anything here.
    void skip_declaration() {
        const auto begin = at_;
        std::size_t depth = 0;
        char quote = 0;
        for (; at_ < text_.size(); ++at_) {
            const char c = text_[at_];
            if (quote != 0) {
                quote = c == quote ? '\0' : quote;
            } else if (c == '"' || c == '\'') {
                quote = c;
            } else if (c == '[') {
                ++depth;
            } else if (c == ']' && depth > 0) {
                --depth;
            } else if (c == '>' && depth == 0) {
                ++at_;
                return;
            }
        }
        fail(begin, "this declaration has no end");
    }

    void read_cdata() {
        constexpr std::size_t mark = 9;
        const auto end = text_.find("]]>", at_);
        if (end == std::string_view::npos) {
            fail(at_, "this CDATA has no end");
            return;
        }
        if (auto* element = top(); element != nullptr && !element->cdata) {
            element->text = text_.substr(at_ + mark, end - at_ - mark);
            element->cdata = true;
        } else if (element != nullptr) {
            repair(at_, "a second CDATA in one element is not read");
        }
        at_ = end + 3;
    }

    std::string_view read_name() {
        const auto begin = at_;
        while (at_ < text_.size() && is_name_letter(text_[at_])) {
            ++at_;
        }
        return text_.substr(begin, at_ - begin);
    }
    void skip_space() {
        while (at_ < text_.size() && is_space(text_[at_])) {
            ++at_;
        }
    }

    void read_begin() {
        const auto begin = at_++;
        if (++elements_ > limit::elements) {
            fail(begin, fmt::format("more than {} elements", limit::elements));
            return;
        }
        Element element;
        element.place = place(begin);
        element.name = read_name();
        if (!read_attributes(element, begin)) {
            return;
        }
        const bool closed = text_[at_] == '/';
        at_ += closed ? 2 : text_[at_] == '>' ? 1 : 0;
        if (closed) {
            put(std::move(element));
        } else if (open_.size() == limit::depth) {
            fail(begin, fmt::format("elements more than {} deep in each other", limit::depth));
        } else {
            open_.push_back(std::move(element));
        }
    }

    // Up to the ">" or "/>" of a tag, or to the "</" that shows that it was left out.
    bool read_attributes(Element& element, std::size_t begin) {
        while (true) {
            skip_space();
            if (at_ == text_.size()) {
                fail(begin, fmt::format("the tag <{}> has no end", element.name));
                return false;
            }
            const char c = text_[at_];
            if (c == '>' || rest().starts_with("/>")) {
                return true;
            }
            if (rest().starts_with("<!--")) {
                repair(at_, "a comment within a tag");
                skip_to("-->", "this comment has no end");
                if (failure_) {
                    return false;
                }
                continue;
            }
            if (rest().starts_with("</")) {
                repair(at_, fmt::format("the tag <{}> has no “>”", element.name));
                return true;
            }
            if (c == '<') {
                fail(begin,
                     fmt::format("the tag <{}> has no end before the next “<”", element.name));
                return false;
            }
            if (!is_name_letter(c)) {
                repair(at_, fmt::format("“{}” does not belong in a tag", c >= ' ' ? c : '?'));
                ++at_;
                continue;
            }
            if (!read_attribute(element)) {
                return false;
            }
        }
    }

    bool read_attribute(Element& element) {
        const auto begin = at_;
        Attribute attribute;
        attribute.name = read_name();
        skip_space();
        if (at_ == text_.size() || text_[at_] != '=') {
            repair(begin, fmt::format("“{}” has no value", attribute.name));
            return true;
        }
        ++at_;
        skip_space();
        if (!read_value(attribute, begin)) {
            return false;
        }
        if (element.attributes.size() == limit::attributes) {
            fail(begin, fmt::format("more than {} attributes", limit::attributes));
            return false;
        }
        if (element.find(attribute.name) != nullptr) {
            repair(begin, fmt::format("“{}” is there twice; the first counts", attribute.name));
            return true;
        }
        element.attributes.push_back(std::move(attribute));
        return true;
    }

    // A backslash takes a quotation mark, a backslash, n, t or r with it, as SIPp reads it.
    bool read_value(Attribute& attribute, std::size_t begin) {
        const char quote = at_ < text_.size() ? text_[at_] : '\0';
        if (quote != '"' && quote != '\'') {
            repair(at_, fmt::format("the value of “{}” has no quotation marks", attribute.name));
            while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != '>' &&
                   !rest().starts_with("/>")) {
                attribute.value += text_[at_++];
            }
            return true;
        }
        if (const auto cut = forgotten_quote(at_, quote); cut != std::string_view::npos) {
            repair(begin, fmt::format("the value of “{}” has no end", attribute.name));
            attribute.value = text_.substr(at_ + 1, cut - at_ - 1);
            at_ = cut;
            return true;
        }
        bool raw = false;
        for (++at_; at_ < text_.size() && text_[at_] != quote;) {
            const char c = text_[at_];
            if (c == '\\' && at_ + 1 < text_.size()) {
                read_escape(attribute.value);
            } else if (c == '&') {
                read_entity(attribute.value);
            } else {
                raw = raw || c == '<';
                attribute.value += c;
                ++at_;
            }
        }
        if (at_ == text_.size()) {
            fail(begin, fmt::format("the value of “{}” has no end", attribute.name));
            return false;
        }
        ++at_;
        if (raw) {
            repair(begin, fmt::format("a raw “<” in the value of “{}”", attribute.name));
        }
        return true;
    }

    // name="odd> and, lines below, x="5": the next mark begins another value, as a letter behind it
    // shows. Where the tag ends, of which the value at `mark` is the last then; npos: it has an
    // end.
    [[nodiscard]] std::size_t forgotten_quote(std::size_t mark, char quote) const {
        const auto close = text_.find(quote, mark + 1);
        const auto line = text_.find('\n', mark);
        if (close >= line && close != std::string_view::npos && close + 1 < text_.size() &&
            is_name_letter(text_[close + 1])) {
            const auto end = text_.rfind('>', line);
            return end != std::string_view::npos && end > mark ? end : std::string_view::npos;
        }
        return std::string_view::npos;
    }

    void read_escape(std::string& out) {
        const char next = text_[at_ + 1];
        at_ += 2;
        switch (next) {
        case 'n':
            out += '\n';
            break;
        case 't':
            out += '\t';
            break;
        case 'r':
            out += '\r';
            break;
        case '\\':
        case '"':
            out += next;
            break;
        case '&':
            out += '\\';
            --at_;
            break;
        default:
            out += '\\';
            out += next;
        }
    }

    void read_entity(std::string& out) {
        const auto end = text_.substr(at_, 12).find(';');
        const auto letter = end == std::string_view::npos
                                ? std::nullopt
                                : letter_of(text_.substr(at_ + 1, end - 1));
        if (!letter) {
            repair(at_, "a raw “&”");
            out += '&';
            ++at_;
            return;
        }
        append_letter(out, *letter);
        at_ += end + 1;
    }

    void read_end() {
        const auto begin = at_;
        at_ += 2;
        const std::string name{read_name()};
        const auto close = text_.find('>', at_);
        if (close == std::string_view::npos) {
            fail(begin, fmt::format("the tag </{}> has no end", name));
            return;
        }
        at_ = close + 1;
        const auto found = std::ranges::find(open_.rbegin(), open_.rend(), name, &Element::name);
        if (found == open_.rend()) {
            repair(begin, fmt::format("</{}> closes nothing", name));
            return;
        }
        while (true) {
            auto element = std::move(open_.back());
            open_.pop_back();
            const bool wanted = element.name == name;
            if (!wanted) {
                repair(begin, fmt::format("<{}> of line {} is not closed", element.name,
                                          element.place.line));
            }
            put(std::move(element));
            if (wanted || done_) {
                return;
            }
        }
    }

    void put(Element element) {
        if (open_.empty()) {
            out_.root = std::move(element);
            done_ = true;
        } else {
            open_.back().children.push_back(std::move(element));
        }
    }

    void end_of_text() {
        if (open_.empty()) {
            fail(text_.size(), "there is no element in it");
            return;
        }
        const auto& last = open_.back();
        // A scenario of which only the last tag is missing is whole.
        if (open_.size() == 1) {
            repair(text_.size(), fmt::format("<{}> is not closed", last.name));
            auto element = std::move(open_.back());
            open_.clear();
            put(std::move(element));
            return;
        }
        failure_ = Note{last.place, fmt::format("<{}> is not closed", last.name)};
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t counted_ = 0;
    std::uint32_t line_ = 1;
    std::size_t line_start_ = 0;
    std::size_t elements_ = 0;
    std::size_t omitted_ = 0;
    std::vector<Element> open_;
    Document out_;
    std::optional<Note> failure_;
    bool done_ = false;
};

} // namespace

const std::string* Element::find(std::string_view attribute) const {
    for (const auto& one : attributes) {
        if (one.name == attribute) {
            return &one.value;
        }
    }
    return nullptr;
}

std::string_view Element::get(std::string_view attribute) const {
    const auto* value = find(attribute);
    return value != nullptr ? std::string_view{*value} : std::string_view{};
}

std::expected<Document, Note> read_xml(std::string_view text) {
    return Reader(text).run();
}

} // namespace cw::script::sipp
