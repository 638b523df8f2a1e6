// From messages to pictures: the Book, the layout of the ladder, and its painters. Whatever the
// texts of the messages hold, what comes out is valid UTF-8 with nothing in it that a terminal
// obeys or that hides or reorders its neighbours, and the JSON is JSON.
//
// The input: a byte of options; then for each message a byte of endpoints, one of time, one of
// transport, two of length, and its text.
#include <string>
#include <vector>

#include <boost/json/src.hpp> // the library itself: Debian has it as headers

#include "flow/book.hpp"
#include "fuzz.hpp"
#include "view/cells.hpp"
#include "view/json.hpp"
#include "view/ladder.hpp"
#include "view/ladder_text.hpp"
#include "view/list_text.hpp"
#include "view/mermaid.hpp"

namespace {

using namespace cw;

Endpoint endpoint(unsigned n) {
    const std::uint8_t address[] = {192, 0, 2, static_cast<std::uint8_t>(1 + n % 5)};
    return {IpAddress::v4(address), static_cast<std::uint16_t>(5060 + n / 5)};
}

void fill(flow::Book& book, Reader in) {
    Instant now{1'777'629'601'000'000'000};
    for (std::uint32_t frame = 1; in.ok() && in.left() > 5 && frame < 200; ++frame) {
        const unsigned ends = in.u8();
        const auto step = in.u8();
        now = now + milliseconds(std::int64_t{step} * step); // up to a minute
        const auto transport = static_cast<flow::Transport>(in.u8() % 6);
        const auto text = in.take(std::min<std::size_t>(in.be16(), in.left()));
        book.on_sip({.at = {.time = now,
                            .frame = frame,
                            .input = 0,
                            .ip_id = 0,
                            .source = endpoint(ends & 15U),
                            .destination = endpoint(ends >> 4U)},
                     .transport = transport,
                     .connection = 0,
                     .truncated = false,
                     .bytes = as_text(text)});
    }
    book.finish(now);
}

void require_harmless(const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto point = view::decode_utf8(text, at);
        require(point.valid);
        require(point.code == '\n' ||
                (point.code >= 0x20 && !(point.code >= 0x7f && point.code < 0xa0)));
        require(!view::is_deceptive(point.code));
        at += point.size;
    }
}

void paint(const flow::Call& call, unsigned options) {
    const auto ladder = view::layout(call);
    std::string text;
    view::append_text(
        text, ladder,
        {.width = 40 + options % 16 * 10, .ascii = (options & 16) != 0, .colour = false});
    require(!text.empty());
    require_harmless(text);
    text.clear();
    view::append_mermaid(text, ladder);
    require(text.find("sequenceDiagram") != std::string::npos);
    require_harmless(text);
}

} // namespace

void fuzz(std::span<const std::uint8_t> input) {
    if (input.empty()) {
        return;
    }
    flow::Book book;
    fill(book, Reader{input.subspan(1)});
    std::string json;
    std::string list;
    view::JsonReport report{[&](std::string_view piece) { json += piece; }, "0.1.0"};
    view::ListText table{[&](std::string_view piece) { list += piece; },
                         {.width = 100, .ascii = false, .colour = false}};
    book.for_each_call([&](const flow::Call& call) {
        paint(call, input[0]);
        report.call(call);
        table.call(call);
        return true;
    });
    report.finish({}, {});
    table.finish({}, {});
    require_harmless(json);
    require_harmless(list);
    boost::system::error_code error;
    boost::json::parse(json, error);
    require(!error);
}
