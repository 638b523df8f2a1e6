#include "view/screen/screen.hpp"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "view/cells.hpp"
#include "view/screen/keys.hpp"
#include "view/test_calls.hpp"

namespace cw::view {
namespace {

std::vector<std::string> keys_of(std::string_view bytes) {
    std::vector<std::string> out;
    while (const auto key = take_key(bytes, true)) {
        out.push_back(*key);
    }
    return out;
}

TEST(Keys, HaveTheNamesThatAreOnThem) {
    EXPECT_EQ(keys_of("a?\r \t\x7f\x0c"),
              (std::vector<std::string>{"a", "?", "enter", "space", "tab", "backspace", "ctrl-l"}));
    EXPECT_EQ(
        keys_of("\x1b[A\x1bOB\x1b[5~\x1b[6~\x1bOP\x1b[12~\x1b[[E\x1b[21~"),
        (std::vector<std::string>{"up", "down", "page-up", "page-down", "f1", "f2", "f5", "f10"}));
    EXPECT_EQ(keys_of("\x1b"), std::vector<std::string>{"esc"});
    EXPECT_EQ(keys_of("\x1b[99;5uq"), (std::vector<std::string>{"unknown", "q"}));
    EXPECT_EQ(keys_of("ü"), std::vector<std::string>{"ü"});
}

TEST(Keys, TheMouseIsAKeyToo) {
    EXPECT_EQ(keys_of("\x1b[<0;12;3M\x1b[<0;12;3m\x1b[<64;1;1M\x1b[<65;1;1Mq"),
              (std::vector<std::string>{"click 12 3", "unknown", "wheel-up", "wheel-down", "q"}));
    for (const std::string_view odd : {"\x1b[<Mq", "\x1b[<0Mq", "\x1b[<0;1Mq", "\x1b[<;;Mq"}) {
        EXPECT_EQ(keys_of(odd).back(), "q") << odd;
    }
}

TEST(Keys, ThatAreNotWholeWaitForTheRest) {
    for (const std::string_view whole : {"\x1b[15~", "\x1bOP", "ü", "\x1b[<0;12;3M"}) {
        for (std::size_t size = 1; size < whole.size(); ++size) {
            auto bytes = whole.substr(0, size);
            EXPECT_FALSE(take_key(bytes, false).has_value()) << size;
            EXPECT_EQ(bytes.size(), size);
        }
    }
}

TEST(Keys, NoBytesHoldThemUpForEver) {
    std::string noise = "\x1b[";
    for (int i = 0; i < 300; ++i) {
        noise += static_cast<char>(i * 7);
    }
    EXPECT_FALSE(keys_of(noise).empty());
}

struct Made {
    std::vector<std::uint32_t> saved;
    std::string path;
    Screen screen;

    explicit Made(const ScreenOptions& options = {}) : screen(rows(), source(), options) {}

    static std::vector<ScreenRow> rows() {
        std::vector<ScreenRow> out;
        for (std::uint32_t id = 1; id <= 40; ++id) {
            ScreenRow row;
            row.id = id;
            row.kind = id % 2 == 0 ? "call" : "registration";
            row.time = "10:00:01.120";
            row.from = "alice" + std::to_string(id) + "@atlanta.example";
            row.to = "bob@biloxi.example";
            row.end = id == 7 ? "busy (486)" : "completed after 12.4 s";
            row.state = id == 7 ? Tone::Slow : Tone::Good;
            row.security = "TLS 1.3 · SRTP";
            row.safe = Tone::Good;
            row.messages = id;
            out.push_back(row);
        }
        return out;
    }
    ScreenSource source() {
        return {
            .load =
                [](std::uint32_t, flow::Boxes::Of) {
                    ScreenCall call;
                    auto made = made::dropped_call();
                    made.security.hops.push_back({.client = made.messages[0].source,
                                                  .server = made.messages[0].destination});
                    call.ladder = layout(made, {.calls_in_all = 40});
                    for (const auto& m : made.messages) {
                        const bool sdp = m.media_count > 0;
                        call.messages.push_back(
                            (m.status == 0 ? "INVITE sip:b SIP/2.0\r\n" : "SIP/2.0 200 OK\r\n") +
                            std::string{"Via: x\r\nCall-ID: \x1b[2Jy\r\n\r\n"} +
                            (sdp ? "v=0\r\n" : ""));
                        call.sdp.push_back(sdp);
                    }
                    return call;
                },
            .filter =
                [](const std::string& text, std::set<std::uint32_t>& fit, std::string& why) {
                    fit = {3, 7};
                    why = "expected a field";
                    return text != "wrong";
                },
            .save =
                [this](const std::vector<std::uint32_t>& ids, const std::string& to) {
                    saved = ids;
                    path = to;
                    return Saved{path != "full.txt", path == "full.txt" ? "no room" : "saved"};
                },
            .exists = [](const std::string& file) { return file == "old.txt"; }};
    }
    bool press(std::initializer_list<const char*> keys) {
        bool open = true;
        for (const auto* key : keys) {
            open = screen.key(key);
        }
        return open;
    }
    [[nodiscard]] bool shows(std::string_view text) const {
        return screen.text().find(text) != std::string::npos;
    }
};

std::size_t lines_in(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

TEST(Screen, FillsItsTerminalAndNoMoreAtAnySize) {
    for (const auto& [width, height] : {std::pair{80, 24}, {40, 10}, {20, 6}, {200, 60}}) {
        Made made;
        made.screen.resize(static_cast<std::size_t>(width), static_cast<std::size_t>(height));
        for (const auto* key : {"down", "enter", "down", "r", "q", "space", "down", "down", "space",
                                "q", "?", "q", "q"}) {
            made.screen.key(key);
            const auto text = made.screen.text();
            EXPECT_EQ(lines_in(text), static_cast<std::size_t>(height)) << key;
            for (std::string_view rest = text; !rest.empty();) {
                const auto line = rest.substr(0, rest.find('\n'));
                rest.remove_prefix(line.size() + 1);
                EXPECT_LE(cell_width(line), static_cast<std::size_t>(width) + 1) << line;
            }
        }
    }
}

TEST(Screen, ListMovesSearchesSortsAndFiltersAsSngrepDoes) {
    Made made;
    EXPECT_TRUE(made.shows("40 of 40 calls"));
    made.press({"/", "e", "1", "2"});
    EXPECT_TRUE(made.shows("1 of 40 calls"));
    made.press({"enter", "f5"});
    EXPECT_TRUE(made.shows("40 of 40 calls"));
    made.press({"f7", "x", "enter"});
    EXPECT_TRUE(made.shows("2 of 40 calls"));
    EXPECT_TRUE(made.shows("busy (486)"));
    made.press({"f7", "ctrl-u", "w", "r", "o", "n", "g", "enter"});
    EXPECT_TRUE(made.shows("expected a field"));
    EXPECT_TRUE(made.shows("40 of 40 calls"));
    made.press({"z", "home"});
    EXPECT_TRUE(made.shows(">    40 "));
    made.press({">", ">", ">", ">", ">"}); // by messages
    EXPECT_TRUE(made.shows("msgs^"));
    EXPECT_FALSE(made.press({"q"}));
}

TEST(Screen, WhatIsSelectedIsSaved) {
    Made made;
    made.press({"space", "down", "space", "f2", "ctrl-u", "a", ".", "t", "x", "t", "enter"});
    EXPECT_EQ(made.saved, (std::vector<std::uint32_t>{1, 3}));
    EXPECT_EQ(made.path, "a.txt");
    EXPECT_TRUE(made.shows("saved"));
}

TEST(Screen, AllTheSelectedTheShownOrOneCanBeSaved) {
    Made made;
    made.press({"space", "F", "x", "enter", "f2"}); // the filter shows 3 and 7
    EXPECT_TRUE(made.shows("( ) call 7, the chosen one")) << made.screen.text();
    EXPECT_TRUE(made.shows("(*) the 1 selected"));
    EXPECT_TRUE(made.shows("( ) the 2 that are shown"));
    EXPECT_TRUE(made.shows("( ) all 40"));
    made.press({"down", "enter"});
    EXPECT_EQ(made.saved, (std::vector<std::uint32_t>{3, 7}));
    made.press({"f2", "up", "enter"});
    EXPECT_EQ(made.saved, std::vector<std::uint32_t>{7});
    made.press({"f2", "tab", "tab", "enter"});
    EXPECT_EQ(made.saved.size(), 40U);
    made.press({"f2", "esc"});
    EXPECT_TRUE(made.shows("2 of 40 calls"));
}

TEST(Screen, AFileIsOverwrittenOnlyWhenThatIsWanted) {
    Made made;
    made.press({"f2", "ctrl-u", "o", "l", "d", ".", "t", "x", "t", "enter"});
    EXPECT_TRUE(made.shows("old.txt is there already. Overwrite it? (y/n)"));
    made.press({"enter"});
    EXPECT_TRUE(made.saved.empty());
    EXPECT_TRUE(made.shows("as: old.txt_")); // another name can be given
    made.press({"enter", "y"});
    EXPECT_EQ(made.path, "old.txt");
    EXPECT_TRUE(made.shows("40 of 40 calls"));
}

TEST(Screen, WhatWentWrongWithAFileCanBeSetRight) {
    Made made;
    made.press({"f2", "ctrl-u", "enter"});
    EXPECT_TRUE(made.shows("A file needs a name"));
    made.press({"f", "u", "l", "l", ".", "t", "x", "t", "enter"});
    EXPECT_TRUE(made.shows("no room"));
    made.press({"backspace", "backspace", "backspace", "m", "m", "d", "enter"});
    EXPECT_EQ(made.path, "full.mmd");
    EXPECT_TRUE(made.shows("saved"));
}

TEST(Screen, ColumnsComeGoAndChangePlacesInADialog) {
    Made made;
    EXPECT_TRUE(made.shows("time"));
    made.press({"f10"});
    EXPECT_TRUE(made.shows("[x] time"));
    made.press({"space"});
    EXPECT_TRUE(made.shows("[ ] time"));
    made.press({"end", "up", "-", "-", "-", "-", "-", "-", "t"}); // findings before kind
    const auto text = made.screen.text();
    EXPECT_EQ(text.find("10:00:01"), std::string::npos);
    EXPECT_LT(text.find("findings"), text.find("kind"));
    made.press({"t", "home", "+", "esc"});
    EXPECT_TRUE(made.shows("40 of 40 calls")) << "the dialog is left, not the program";
    for (int i = 0; i < 12; ++i) { // what is shown can be sorted by
        made.press({">"});
        EXPECT_FALSE(made.shows("time"));
    }
    made.press({"f10", "home", "down", "space", "down", "space", "down", "space", "down", "space"});
    made.press({"down", "space", "down", "space", "down", "space", "down", "space"});
    made.press({"home", "down"});
    made.press({"space", "home", "space"});
    EXPECT_TRUE(made.shows("One column has to stay"));
    EXPECT_TRUE(made.shows("[x] findings"));
}

TEST(Screen, ColumnsAreKeptForTheNextTime) {
    std::string kept;
    Made base;
    auto source = base.source();
    source.keep_columns = [&](const std::string& columns) {
        kept = columns;
        return std::string{"kept"};
    };
    Screen screen{Made::rows(), source, {}};
    for (const auto* key : {"f10", "space", "down", "+", "s"}) {
        screen.key(key);
    }
    EXPECT_NE(screen.text().find("kept"), std::string::npos);
    EXPECT_EQ(kept, "-time from kind to end msgs security findings weakest");
    const auto again = Screen{Made::rows(), base.source(), {.columns = kept}}.text();
    EXPECT_EQ(again.find("10:00:01"), std::string::npos);
    EXPECT_LT(again.find("from"), again.find("kind"));
    EXPECT_NE(again.find("TLS 1.3"), std::string::npos)
        << "what was chosen stays where it is narrow";
    // What a damaged file says is passed over.
    const auto odd =
        Screen{Made::rows(), base.source(), {.columns = "- nonsense -x \x1b[2J"}}.text();
    EXPECT_NE(odd.find("time"), std::string::npos);
}

TEST(Screen, SettingsAreTurnedWithSpace) {
    Made made{{.width = 100, .height = 60}};
    made.press({"enter"});
    EXPECT_TRUE(made.shows("PCMU"));
    made.press({"q", "f8", "space", "esc", "enter"});
    EXPECT_FALSE(made.shows("PCMU"));
    made.press({"q", "o", "end", "space", "q"});
    EXPECT_FALSE(made.shows("·"));
    EXPECT_TRUE(made.shows("40 of 40 calls"));
}

TEST(Screen, AddressesStandForNamesAndBack) {
    Made made{{.width = 120, .height = 40}};
    made.press({"enter"});
    const auto named = made.screen.text();
    made.press({"f9"});
    const auto addressed = made.screen.text();
    EXPECT_NE(named, addressed);
    EXPECT_LT(named.find("Alice"), named.find("192.0.2.10"));
    EXPECT_GT(addressed.find("Alice"), addressed.find("192.0.2.10"));
    made.press({"a"});
    EXPECT_EQ(made.screen.text(), named);
}

TEST(Screen, EnterShowsTheLadderAndThenTheMessage) {
    Made made;
    made.press({"enter"});
    EXPECT_TRUE(made.shows("alice@atlanta.example → bob@biloxi.example"));
    EXPECT_TRUE(made.shows("the 200 OK was never acknowledged"));
    made.press({"enter"});
    EXPECT_TRUE(made.shows("Message 1 of 21"));
    EXPECT_TRUE(made.shows("INVITE sip:b SIP/2.0"));
    EXPECT_TRUE(made.shows("Call-ID: ␛[2Jy")); // nothing that a terminal obeys
    EXPECT_TRUE(made.press({"q", "q"}));
    EXPECT_TRUE(made.shows("40 of 40 calls"));
}

TEST(Screen, VShowsHowSafeEachHopWas) {
    Made made;
    made.press({"enter", "v"});
    EXPECT_TRUE(made.shows("weakest: sbc → Bob, UDP, media key readable"));
    EXPECT_TRUE(made.shows("✗ 192.0.2.10:40112 → 203.0.113.5:5061"));
    made.press({"v"});
    EXPECT_TRUE(made.shows("the 200 OK was never acknowledged"));
}

TEST(Screen, SpaceOnTwoMessagesComparesThem) {
    Made made;
    made.press({"enter", "space", "end", "space"});
    EXPECT_TRUE(made.shows("Message 1 "));
    EXPECT_TRUE(made.shows("Message 21"));
    EXPECT_TRUE(made.shows(" # "));
    EXPECT_TRUE(made.shows(" | "));
}

TEST(Screen, MediaAndSdpComeAndGo) {
    Made made{{.width = 100, .height = 60}};
    made.press({"enter"});
    EXPECT_TRUE(made.shows("SRTP PCMU"));
    made.press({"f3"});
    EXPECT_FALSE(made.shows("SRTP PCMU"));
    made.press({"m", "f2"});
    EXPECT_TRUE(made.shows("INVITE SRTP"));
    EXPECT_FALSE(made.shows("180 Ringing"));
    made.press({"d", "M"});
    EXPECT_TRUE(made.shows("SRTP PCMU"));
    EXPECT_FALSE(made.shows("INVITE SRTP"));
}

TEST(Screen, WithoutColourNothingButPlacesAndReverseIsWritten) {
    Made made{{.width = 80, .height = 24, .ascii = true, .colour = false}};
    made.press({"enter"});
    const auto frame = made.screen.frame();
    EXPECT_EQ(frame.find("\x1b[3"), std::string::npos);
    EXPECT_TRUE(
        std::ranges::all_of(frame, [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
    Made coloured{{.width = 80, .height = 24, .colours_256 = true}};
    EXPECT_NE(coloured.screen.frame().find("\x1b[48;5;24m"), std::string::npos);
}

TEST(Screen, AllThatAreSelectedStandOnOneLadder) {
    Made made{{.width = 100, .height = 60}};
    made.press({"enter"});
    const auto alone = made.screen.text();
    made.press({"q", "space", "space", "enter"});
    EXPECT_TRUE(made.shows("2 calls")) << made.screen.text();
    // The same call twice: each of its messages is there twice, in the same columns.
    const auto count = [](std::string_view text, std::string_view what) {
        std::size_t n = 0;
        for (auto at = text.find(what); at != std::string_view::npos;
             at = text.find(what, at + 1)) {
            ++n;
        }
        return n;
    };
    EXPECT_EQ(count(made.screen.text(), "180 Ringing"), 2 * count(alone, "180 Ringing"));
    EXPECT_EQ(count(made.screen.text(), "192.0.2.10"), count(alone, "192.0.2.10"));
    made.press({"f6"});
    EXPECT_TRUE(made.shows("All 42 messages")) << made.screen.text();
    made.press({"s", "enter"});
    EXPECT_EQ(made.saved, (std::vector<std::uint32_t>{1, 2}));
}

TEST(Screen, TimesCountFromTheStartWhenAsked) {
    Made made{{.width = 100, .height = 40}};
    made.press({"enter"});
    const auto before = made.screen.text();
    made.press({"w"});
    EXPECT_TRUE(made.shows("00:00:00.000")) << made.screen.text();
    made.press({"w", "down", "up"});
    EXPECT_EQ(made.screen.text(), before);
}

TEST(Screen, HasTheKeysThatSngrepHas) {
    Made made;
    EXPECT_TRUE(made.shows("F2 Save"));
    made.press({"K"});
    EXPECT_TRUE(made.shows("s Save"));
    made.press({"*", "S", "enter"});
    EXPECT_EQ(made.saved.size(), 40U);
    made.press({"*", "I"});
    EXPECT_TRUE(made.shows("filter: method == INVITE"));
    made.press({"I", "R"});
    EXPECT_TRUE(made.shows("All 21 messages")) << made.screen.text();
    made.press({"Q", "F5"});
    EXPECT_FALSE(made.press({"Q", "Q"}));
}

TEST(Screen, AnEmptyListAndAnEmptyCallTakeEveryKey) {
    Screen empty{{}, {}, {}};
    ScreenSource source;
    source.load = [](std::uint32_t, flow::Boxes::Of) { return ScreenCall{}; };
    Screen bare{{ScreenRow{}, ScreenRow{}}, source, {}};
    bare.key("enter");
    for (const auto* key :
         {"down", "up", "end", "home", "enter", "space", "r",     "x", "m",         "d",
          "M",    "t",  "9",   "0",    "T",     "left",  "right", "c", "page-down", "unknown"}) {
        empty.key(key);
        bare.key(key);
        EXPECT_EQ(lines_in(empty.text()), 24U) << key;
        EXPECT_EQ(lines_in(bare.text()), 24U) << key;
    }
}

// ---- live

struct LiveScreen {
    std::vector<bool> forgotten; // what forget() was asked for
    std::size_t messages = 2;    // of the call that load() gives
    bool kept = true;
    bool lost = false; // calls that are not saved
    Screen screen;

    explicit LiveScreen(const ScreenOptions& options = {.width = 140, .colour = false},
                        bool are_lost = false)
        : lost(are_lost), screen({}, source(), options) {}
    ScreenSource source() {
        return {.load =
                    [this](std::uint32_t, flow::Boxes::Of) {
                        ScreenCall out;
                        if (kept) {
                            auto call = made::dropped_call();
                            call.messages.resize(std::min(messages, call.messages.size()));
                            out.ladder = layout(call);
                            out.messages.assign(call.messages.size(), "INVITE sip:b SIP/2.0\r\n");
                            out.sdp.assign(call.messages.size(), false);
                        }
                        return out;
                    },
                .filter =
                    [](const std::string& filter, std::set<std::uint32_t>& fit, std::string&) {
                        if (filter == "odd") {
                            fit = {1, 3, 5};
                        }
                        return true;
                    },
                .save = [](const auto&, const auto&) { return Saved{true, "saved"}; },
                .forget = [this](bool hidden_only) { forgotten.push_back(hidden_only); },
                .calls_are_lost = lost};
    }
    void put(std::uint32_t id, std::string end = "ringing", bool fits = true) {
        ScreenRow row;
        row.id = id;
        row.kind = row.outcome = "call";
        row.from = "alice" + std::to_string(id) + "@a.example";
        row.end = std::move(end);
        screen.put(std::move(row), fits);
        screen.settle();
    }
    void type(std::string_view text) {
        for (const char c : text) {
            screen.key(c == '\n' ? std::string{"enter"} : std::string{c});
        }
    }
    [[nodiscard]] std::string chosen() const { // the line that is
        const auto text = screen.text();
        const auto at = text.find("\n>");
        return text.substr(at + 1, text.find('\n', at + 1) - at - 1);
    }
};

TEST(ScreenLive, CallsComeChangeAndGoAndTheChoiceStays) {
    LiveScreen live;
    for (std::uint32_t id = 1; id <= 5; ++id) {
        live.put(id);
    }
    EXPECT_NE(live.screen.text().find("5 of 5 calls"), std::string::npos);
    live.screen.key("down");
    live.screen.key("down");
    EXPECT_NE(live.chosen().find("alice3@"), std::string::npos) << live.screen.text();
    live.put(3, "up, 3 s");
    EXPECT_NE(live.chosen().find("up, 3 s"), std::string::npos);
    live.screen.remove(1, 0);
    live.screen.remove(2, 0);
    live.put(6);
    EXPECT_NE(live.chosen().find("alice3@"), std::string::npos);
    EXPECT_NE(live.screen.text().find("4 of 4 calls"), std::string::npos);
    live.screen.remove(3, 5);
    live.screen.settle();
    EXPECT_NE(live.chosen().find("alice5@"), std::string::npos) << "it is part of that one now";
}

TEST(ScreenLive, TheOrderAndTheFilterHoldForWhatComes) {
    LiveScreen live;
    live.put(1);
    live.put(2);
    live.screen.key("z"); // the newest first
    live.put(3);
    auto text = live.screen.text();
    EXPECT_LT(text.find("alice3@"), text.find("alice1@"));
    live.screen.key("f7");
    live.type("odd\n");
    live.put(4, "ringing", false);
    live.put(5);
    text = live.screen.text();
    EXPECT_NE(text.find("3 of 5 calls"), std::string::npos) << text;
    EXPECT_EQ(text.find("alice4@"), std::string::npos);
    live.put(5, "busy", false);
    EXPECT_NE(live.screen.text().find("2 of 5 calls"), std::string::npos);
}

TEST(ScreenLive, APauseHoldsWhatComesAndLosesNothing) {
    LiveScreen live;
    live.put(1);
    live.screen.key("p");
    live.put(2);
    live.screen.remove(1, 0);
    live.screen.settle();
    EXPECT_NE(live.screen.text().find("1 of 1 calls"), std::string::npos);
    EXPECT_NE(live.screen.text().find("paused"), std::string::npos);
    live.screen.key("p");
    EXPECT_NE(live.screen.text().find("1 of 1 calls"), std::string::npos);
    EXPECT_NE(live.screen.text().find("alice2@"), std::string::npos);
}

TEST(ScreenLive, ALadderGrowsAndItsCursorStaysAtItsMessage) {
    LiveScreen live;
    live.put(1);
    live.screen.key("enter");
    live.screen.key("t"); // the ladder alone
    EXPECT_NE(live.chosen().find("INVITE"), std::string::npos) << live.screen.text();
    const auto before = live.chosen();
    live.messages = 6;
    live.put(1, "up");
    EXPECT_EQ(before, live.chosen());
    EXPECT_NE(live.screen.text().find("6 messages"), std::string::npos) << live.screen.text();
    live.kept = false;
    live.screen.remove(1, 0);
    live.screen.settle();
    EXPECT_NE(live.screen.text().find("6 messages"), std::string::npos) << "what was shown stays";
    live.screen.key("q");
    EXPECT_NE(live.screen.text().find("0 of 0 calls"), std::string::npos);
}

TEST(ScreenLive, AClickChoosesAndAnotherOneOpens) {
    LiveScreen live;
    for (std::uint32_t id = 1; id <= 5; ++id) {
        live.put(id);
    }
    live.screen.key("click 10 5"); // two lines stand above
    EXPECT_NE(live.chosen().find("alice3@"), std::string::npos) << live.screen.text();
    live.screen.key("click 10 1");
    live.screen.key("click 10 20");
    live.screen.key("click x y");
    live.screen.key("click ");
    EXPECT_NE(live.chosen().find("alice3@"), std::string::npos) << "there is no call";
    live.screen.key("click 10 5");
    EXPECT_NE(live.screen.text().find("Esc Back  Enter Raw"), std::string::npos);
    live.screen.key("t");
    live.screen.key("wheel-down");
    EXPECT_EQ(live.screen.text().find("5 of 5"), std::string::npos);
}

TEST(ScreenLive, KeysOfTheListForgetAndFollow) {
    LiveScreen live;
    live.put(1);
    live.screen.key("f5");
    live.screen.key("f9");
    EXPECT_EQ(live.forgotten, (std::vector<bool>{false, true}));
    live.screen.key("A");
    live.put(2);
    EXPECT_NE(live.chosen().find("alice2@"), std::string::npos);
    live.screen.key("i");
    EXPECT_NE(live.screen.text().find("By kind"), std::string::npos);
    live.screen.key("q");
    EXPECT_NE(live.screen.text().find("2 of 2 calls"), std::string::npos);
}

TEST(Screen, RowsOfACaptureThatIsStillReadGetTheirNumbersAtTheEnd) {
    bool all = false;
    Screen screen{{},
                  {.load =
                       [&](std::uint32_t, flow::Boxes::Of) {
                           ScreenCall out;
                           if (all) {
                               out.ladder = layout(made::dropped_call());
                           }
                           return out;
                       },
                   .filter = {},
                   .save = {}},
                  {.colour = false}};
    const auto put = [&](std::uint32_t id, std::uint32_t number) {
        ScreenRow row;
        row.id = id;
        row.number = number;
        row.from = "from" + std::to_string(id);
        screen.put(std::move(row), true);
    };
    const auto shows = [&](std::string_view text) { return screen.text().contains(text); };
    put(1, 0);
    put(3, 0);
    put(4, 0);
    screen.settle();
    screen.key("down");
    EXPECT_TRUE(shows(">     3 ")) << screen.text();
    screen.key("enter");
    EXPECT_TRUE(shows("It opens when all is read"));
    all = true;
    put(1, 1);
    put(3, 3); // which began later
    put(4, 2);
    screen.settle();
    EXPECT_TRUE(shows("from4")) << screen.text();
    EXPECT_LT(screen.text().find("from4"), screen.text().find("from3"));
    EXPECT_TRUE(shows(">     3 ")); // it stays chosen
    screen.key("s");
    EXPECT_TRUE(shows("call 3, the chosen one"));
    screen.key("esc");
    screen.key("enter");
    EXPECT_TRUE(shows("Enter Raw")) << screen.text();
}

TEST(LiveScreen, AsksWhoLeavesCallsThatNobodyKeeps) {
    const ScreenOptions options{.width = 140, .colour = false};
    LiveScreen kept{options};
    kept.put(1);
    EXPECT_FALSE(kept.screen.key("q"));
    LiveScreen lost{options, true};
    EXPECT_FALSE(lost.screen.key("q")); // there is nothing yet
    lost.put(1);
    lost.put(2);
    const auto asks = [&](std::string_view what) {
        return lost.screen.text().find(what) != std::string::npos;
    };
    for (const auto* key : {"q", "esc", "ctrl-c"}) {
        EXPECT_TRUE(lost.screen.key(key));
        EXPECT_TRUE(asks("2 of 2 calls are not saved")) << lost.screen.text();
        EXPECT_TRUE(lost.screen.key("n"));
        EXPECT_FALSE(asks("not saved"));
    }
    lost.screen.key("q");
    EXPECT_FALSE(lost.screen.key("y"));
    lost.screen.key("q");
    lost.screen.key("s"); // all of them, in a file
    EXPECT_TRUE(asks("all 2"));
    lost.screen.key("enter");
    EXPECT_FALSE(lost.screen.key("q"));
    lost.put(2, "up"); // it has changed since
    EXPECT_TRUE(lost.screen.key("q"));
    EXPECT_TRUE(asks("1 of 2 calls is not saved"));
    EXPECT_FALSE(lost.screen.key("ctrl-c"));
}

} // namespace
} // namespace cw::view
