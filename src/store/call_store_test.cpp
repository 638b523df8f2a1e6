#include "store/call_store.hpp"

#include <csignal>
#include <filesystem>

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace cw::store {
namespace {

std::string_view no_alert(std::uint8_t) {
    return "unknown";
}

class CallStoreTest : public testing::Test {
  protected:
    CallStoreTest() { std::filesystem::create_directories(folder_); }
    ~CallStoreTest() override { std::filesystem::remove_all(folder_); }
    std::unique_ptr<CallStore> open(CallStore::Mode mode = CallStore::Mode::Write) {
        auto opened = CallStore::open(path_, mode, no_alert);
        why_ = opened ? "" : opened.error();
        return opened ? std::move(*opened) : nullptr;
    }
    // A call with one message for each text.
    static std::int64_t put(CallStore& store, const std::vector<std::string>& texts,
                            std::string_view words = "", std::int64_t at_s = 1'700'000'000) {
        flow::Call call;
        call.start = call.end = Instant{seconds(at_s).ns};
        call.legs.emplace_back().call_id = call.pool.add("a@example.com");
        call.messages.resize(texts.size());
        const std::vector<std::string_view> views{texts.begin(), texts.end()};
        return store.put(call, views, words).value_or(-1);
    }
    static std::vector<std::int64_t> found(CallStore& store, const std::string& words,
                                           CallStore::Query query = {}) {
        std::vector<std::int64_t> out;
        query.words = words;
        const auto done = store.search(query, [&](const CallStore::Found& one) {
            out.push_back(one.number);
            return true;
        });
        EXPECT_TRUE(done) << done.error();
        return out;
    }
    using Numbers = std::vector<std::int64_t>;
    std::string folder_ = testing::TempDir() + "callwright-calls-" + std::to_string(::getpid());
    std::string path_ = folder_ + "/calls.db";
    std::string why_;
};

TEST_F(CallStoreTest, WhatWasPutIsFoundByItsWordsAndReadBack) {
    auto store = open();
    ASSERT_NE(store, nullptr) << why_;
    const std::string invite = "INVITE sip:+4930123456@example.com SIP/2.0\r\nFrom: \"Älice\" "
                               "<sip:alice@a.example>\r\n\r\n";
    EXPECT_EQ(1, put(*store, {invite, "SIP/2.0 486 Busy Here\r\n\r\n"}, "D12 busy"));
    EXPECT_EQ(2,
              put(*store, {"OPTIONS sip:pbx.example SIP/2.0\r\nUser-Agent: Älice-Phone\r\n\r\n"}));
    ASSERT_TRUE(store->commit());
    EXPECT_EQ((Numbers{2, 1}), found(*store, "älice"));
    EXPECT_EQ((Numbers{1}), found(*store, "alice@a.example"));
    EXPECT_EQ((Numbers{1}), found(*store, "4930*"));
    EXPECT_EQ(Numbers{}, found(*store, "4930"));
    EXPECT_EQ((Numbers{1}), found(*store, "D12"));
    EXPECT_EQ((Numbers{1}), found(*store, "\"busy here\""));
    EXPECT_EQ(Numbers{}, found(*store, "\"here busy\""));
    EXPECT_EQ((Numbers{2, 1}), found(*store, ""));
    CallStore::Query below;
    below.before = 2;
    EXPECT_EQ((Numbers{1}), found(*store, "sip", below));
    bool seen = false;
    const auto loaded = store->load(1, [&](const flow::Call& call, const auto& messages) {
        seen = true;
        EXPECT_EQ(1U, call.id);
        ASSERT_EQ(2U, messages.size());
        EXPECT_EQ(invite, messages[0]);
    });
    EXPECT_TRUE(loaded.value_or(false) && seen);
    EXPECT_FALSE(store->load(9, [](const auto&, const auto&) {}).value_or(true));
}

TEST_F(CallStoreTest, TheMessageThatHasTheWordsIsNamed) {
    auto store = open();
    put(*store, {"INVITE a", "SIP/2.0 180 Ringing", "SIP/2.0 486 Busy"}, "verdict");
    std::uint32_t at = 0;
    const auto look = [&](const std::string& words) {
        CallStore::Query query;
        query.words = words;
        EXPECT_TRUE(store->search(query, [&](const CallStore::Found& one) {
            at = one.message;
            return true;
        }));
        return at;
    };
    EXPECT_EQ(2U, look("486"));
    EXPECT_EQ(1U, look("sip")) << "the first of several";
    EXPECT_EQ(flow::none, look("verdict"));
}

TEST_F(CallStoreTest, WhateverIsTypedIsWordsAndWhateverWasSentIsText) {
    auto store = open();
    const std::string hostile{"Subject: '; DROP TABLE call; -- \0\xff\xfe NEAR(a b) * ^ - \"", 52};
    put(*store, {hostile, std::string(200'000, 'x')}, "");
    ASSERT_TRUE(store->commit());
    for (const std::string words :
         {"'; DROP TABLE call; --", "drop table", "NEAR(drop, table)", "\"drop", "drop OR nothing*",
          "^drop", "-drop", "bytes:drop", "a\"b", "**", "{drop}", "drop)", "\\", "%_"}) {
        CallStore::Query query;
        query.words = words;
        const auto done = store->search(query, [](const auto&) { return true; });
        EXPECT_TRUE(done || done.error().contains("no word in it"))
            << words << ": " << done.error();
    }
    EXPECT_EQ((Numbers{1}), found(*store, "drop table call"));
    EXPECT_EQ(Numbers{}, found(*store, "drop OR table"));
    EXPECT_EQ(1, store->calls());
}

TEST_F(CallStoreTest, OldCallsGoAndTheFileStaysSmall) {
    auto store = open();
    CallStore::Settings settings{.age = seconds(100), .bytes = std::uint64_t{1} << 30};
    for (int i = 0; i < 300; ++i) {
        put(*store, {"MESSAGE number" + std::to_string(i) + " " + std::string(2000, 'y')}, "",
            1'700'000'000 + i);
    }
    ASSERT_TRUE(store->commit());
    const Instant now{seconds(1'700'000'300).ns};
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(store->tidy(settings, now));
    }
    EXPECT_EQ(100, store->calls());
    EXPECT_EQ(Numbers{}, found(*store, "number3"));
    EXPECT_EQ((Numbers{251}), found(*store, "number250"));
    settings.bytes = 300'000;
    for (int i = 0; i < 2000; ++i) {
        EXPECT_LT(300 + i,
                  put(*store, {"MESSAGE again " + std::string(2000, 'z')}, "", 1'700'000'200));
        if (i % 50 == 0) {
            ASSERT_TRUE(store->commit());
            ASSERT_TRUE(store->tidy(settings, now));
        }
    }
    ASSERT_TRUE(store->commit());
    EXPECT_GT(900'000U, store->bytes());
    EXPECT_GT(3'000'000U, std::filesystem::file_size(path_));
}

TEST_F(CallStoreTest, WhatWasCommittedOutlivesKill9) {
    const auto child = ::fork();
    if (child == 0) {
        auto store = open();
        for (int i = 0; i < 50; ++i) {
            put(*store, {"MESSAGE kept"});
        }
        static_cast<void>(store->commit());
        put(*store, {"MESSAGE lost"});
        ::kill(::getpid(), SIGKILL);
    }
    ::waitpid(child, nullptr, 0);
    auto store = open(CallStore::Mode::Read);
    ASSERT_NE(store, nullptr) << why_;
    EXPECT_EQ(50, store->calls());
    EXPECT_EQ(50U, found(*store, "kept").size());
    EXPECT_EQ(Numbers{}, found(*store, "lost"));
    struct stat status{};
    ASSERT_EQ(0, ::stat(path_.c_str(), &status));
    EXPECT_EQ(0600U, status.st_mode & 0777U);
}

TEST_F(CallStoreTest, AnotherMayReadWhileOneWrites) {
    auto writer = open();
    put(*writer, {"MESSAGE one"});
    ASSERT_TRUE(writer->commit());
    auto reader = open(CallStore::Mode::Read);
    ASSERT_NE(reader, nullptr) << why_;
    put(*writer, {"MESSAGE two"});
    EXPECT_EQ(1, reader->calls()) << "not committed";
    ASSERT_TRUE(writer->commit());
    EXPECT_EQ(2, reader->calls());
}

TEST_F(CallStoreTest, WhatIsNoStoreIsRefusedInWords) {
    EXPECT_EQ(open(CallStore::Mode::Read), nullptr);
    EXPECT_NE(why_.find("unable to open"), std::string::npos) << why_;
    sqlite3* other = nullptr;
    ASSERT_EQ(SQLITE_OK, sqlite3_open(path_.c_str(), &other));
    ASSERT_EQ(SQLITE_OK, sqlite3_exec(other, "CREATE TABLE call(a)", nullptr, nullptr, nullptr));
    sqlite3_close(other);
    EXPECT_EQ(open(), nullptr);
    EXPECT_NE(why_.find("not a store of calls"), std::string::npos) << why_;
}

} // namespace
} // namespace cw::store
