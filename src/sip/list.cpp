#include "sip/list.hpp"

#include "base/text.hpp"
#include "sip/cursor.hpp"

namespace cw::sip {

std::optional<std::string_view> ListCursor::next() {
    while (!rest_.empty()) {
        Cursor cursor{rest_};
        const auto* from = cursor.at();
        for (;;) {
            cursor.take_until<',', '"', '<'>();
            if (cursor.done() || cursor.peek() == ',') {
                break;
            }
            if (cursor.peek() == '"') {
                if (!cursor.quoted()) {
                    cursor.skip_all();
                }
            } else {
                cursor.take_until<'>'>();
            }
        }
        const auto value = trim(cursor.since(from));
        cursor.eat(',');
        rest_ = cursor.rest();
        if (!value.empty()) {
            return value;
        }
    }
    return std::nullopt;
}

ValueCursor::ValueCursor(const MessageView& message, HeaderId id) : id_(id) {
    if (const auto* first = message.find(id)) {
        const auto all = message.headers();
        left_ = all.subspan(static_cast<std::size_t>(first - all.data()));
        if (!message.repeated(id)) {
            left_ = left_.first(1);
        }
    }
}

std::optional<std::string_view> ValueCursor::next() {
    for (;;) {
        if (const auto value = list_.next()) {
            return value;
        }
        while (!left_.empty() && left_.front().id != id_) {
            left_ = left_.subspan(1);
        }
        if (left_.empty()) {
            return std::nullopt;
        }
        list_ = ListCursor{left_.front().value};
        left_ = left_.subspan(1);
    }
}

bool list_has(const MessageView& message, HeaderId id, std::string_view token) {
    ValueCursor values{message, id};
    while (const auto value = values.next()) {
        if (iequals(*value, token)) {
            return true;
        }
    }
    return false;
}

} // namespace cw::sip
