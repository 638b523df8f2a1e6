#include "store/location.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

namespace {

using namespace cw::store;

class LocationFile : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "callwright-location-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        path_ = folder_ / "location.db";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::unique_ptr<Location> open() const {
        auto location = Location::open(path_, Durability::ProcessDeath);
        EXPECT_TRUE(location) << location.error();
        return location ? std::move(*location) : nullptr;
    }
    [[nodiscard]] std::string refusal() const {
        const auto location = Location::open(path_, Durability::ProcessDeath);
        return location ? "opened" : location.error();
    }
    using Rows = std::map<std::string, std::pair<std::int64_t, std::string>>;
    static Rows rows(Location& location, std::int64_t now = 0) {
        Rows found;
        const auto loaded = location.load(now, [&](const LocationRow& row) {
            found[std::string{row.aor} + " " + std::string{row.key}] = {row.expires_ns,
                                                                        std::string{row.data}};
        });
        EXPECT_TRUE(loaded) << loaded.error();
        return found;
    }
    static void apply(Location& location, const std::vector<LocationRow>& rows) {
        const auto applied = location.apply(rows);
        EXPECT_TRUE(applied) << applied.error();
    }

    std::filesystem::path folder_;
    std::string path_;
};

TEST_F(LocationFile, KeepsWhatWasApplied) {
    {
        const auto location = open();
        apply(*location, {{"sip:alice@a", "1", 100, "one"}, {"sip:alice@a", "2", 200, "two"}});
        apply(*location, {{"sip:alice@a", "1", 300, "changed"}, {"sip:bob@a", "1", 100, "bob"}});
        apply(*location, {{"sip:bob@a", "1", 0, ""}, {"sip:nobody@a", "1", 0, ""}});
    }
    EXPECT_EQ(rows(*open()),
              (Rows{{"sip:alice@a 1", {300, "changed"}}, {"sip:alice@a 2", {200, "two"}}}));
}

TEST_F(LocationFile, KeepsBytesOfAnyKind) {
    const std::string bytes{"\0\xff\r\n'\"", 6};
    apply(*open(), {{"sip:%00@a", "k'", 5, bytes}});
    EXPECT_EQ(rows(*open()), (Rows{{"sip:%00@a k'", {5, bytes}}}));
}

TEST_F(LocationFile, ForgetsWhatHasExpired) {
    apply(*open(), {{"sip:alice@a", "1", 100, "old"}, {"sip:alice@a", "2", 101, "good"}});
    EXPECT_EQ(rows(*open(), 100), (Rows{{"sip:alice@a 2", {101, "good"}}}));
    EXPECT_EQ(rows(*open(), 0).size(), 1U) << "the other one is not in the file any more";
}

TEST_F(LocationFile, LosesNothingWhenTheProcessIsKilled) {
    const auto child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) { // no destructor runs, nothing is closed
        auto location = Location::open(path_, Durability::ProcessDeath);
        for (int i = 0; location && i < 1000; ++i) {
            const auto aor = "sip:" + std::to_string(i) + "@a";
            const LocationRow row{aor, "1", 100, "here"};
            if (!(*location)->apply({&row, 1})) {
                _exit(1);
            }
            if (i == 500 && !(*location)->checkpoint()) {
                _exit(2);
            }
        }
        kill(getpid(), SIGKILL);
        _exit(3);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
    EXPECT_EQ(rows(*open()).size(), 1000U);
}

TEST_F(LocationFile, CheckpointsKeepTheLogShort) {
    const auto location = open();
    const auto round = [&] {
        for (int i = 0; i < 200; ++i) {
            apply(*location,
                  {{"sip:" + std::to_string(i) + "@a", "1", 100, std::string(500, 'x')}});
        }
        EXPECT_TRUE(location->checkpoint());
        return std::filesystem::file_size(path_ + "-wal");
    };
    const auto first = round();
    EXPECT_GT(std::filesystem::file_size(path_), 200U * 500U) << "the rows are in the file itself";
    for (int i = 0; i < 5; ++i) {
        round();
    }
    EXPECT_LE(round(), first + first / 2) << "the log begins anew after each checkpoint";
}

TEST_F(LocationFile, TellsOthersInTheOrderOfTheDisk) {
    const auto location = open();
    std::vector<std::string> told;
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 4; ++writer) {
        writers.emplace_back([&, writer] {
            for (int i = 0; i < 50; ++i) {
                const auto data = std::to_string(writer) + "-" + std::to_string(i);
                const LocationRow row{"sip:alice@a", "1", 100, data};
                const auto applied = location->apply({&row, 1}, [&] { told.push_back(data); });
                EXPECT_TRUE(applied) << applied.error();
                if (i % 10 == 0) {
                    const auto checkpointed = location->checkpoint();
                    EXPECT_TRUE(checkpointed) << checkpointed.error();
                }
            }
        });
    }
    for (auto& writer : writers) {
        writer.join();
    }
    EXPECT_EQ(told.size(), 200U);
    EXPECT_EQ(rows(*location), (Rows{{"sip:alice@a 1", {100, told.back()}}}));
}

TEST_F(LocationFile, RefusesWhatIsNoDatabase) {
    std::ofstream{path_} << std::string(8192, 'x');
    EXPECT_EQ(refusal(), path_ + ": file is not a database");
}

TEST_F(LocationFile, RefusesAFolderThatIsNotThere) {
    path_ = folder_ / "none" / "location.db";
    EXPECT_EQ(refusal(), path_ + ": unable to open database file");
}

TEST_F(LocationFile, RefusesADamagedFile) {
    {
        const auto location = open();
        std::vector<std::string> names;
        for (int i = 0; i < 2000; ++i) {
            names.push_back("sip:" + std::to_string(i) + "@a");
        }
        std::vector<LocationRow> many;
        for (const auto& name : names) {
            many.push_back({name, "1", 100, "some data of a binding"});
        }
        apply(*location, many);
        ASSERT_TRUE(location->checkpoint());
    }
    {
        std::fstream file{path_, std::ios::in | std::ios::out | std::ios::binary};
        file.seekp(3 * 4096);
        file << std::string(8192, '\x5a');
    }
    EXPECT_TRUE(refusal().starts_with(path_ + ": ")) << refusal();
    EXPECT_NE(refusal(), "opened");
}

TEST_F(LocationFile, RefusesALaterSchema) {
    open().reset();
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
    sqlite3_exec(database, "PRAGMA user_version = 99", nullptr, nullptr, nullptr);
    sqlite3_close(database);
    EXPECT_EQ(refusal(), path_ + ": written by a later version of callwright (schema 99, this one "
                                 "knows 1)");
}

TEST_F(LocationFile, SaysThatItIsLocked) {
    open().reset();
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
    sqlite3_exec(other, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr);
    const auto location = open();
    const LocationRow row{"sip:alice@a", "1", 100, "x"};
    const auto applied = location->apply({&row, 1});
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error(), path_ + ": database is locked");
    sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr);
    EXPECT_TRUE(location->apply({&row, 1})) << "and goes on when it is free";
    sqlite3_close(other);
}

} // namespace
