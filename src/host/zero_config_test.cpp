#include "host/zero_config.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "host/data_folder.hpp"
#include "net/loop.hpp"

namespace {

using namespace cw;
using namespace cw::host;

class ZeroConfig : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "callwright-data-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        data_ = pattern + "/data";
    }
    void TearDown() override {
        std::filesystem::remove_all(std::filesystem::path{data_}.parent_path());
    }
    [[nodiscard]] mode_t mode_of(const std::string& name) const {
        struct stat info{};
        EXPECT_EQ(stat((data_ + name).c_str(), &info), 0) << name;
        return info.st_mode & 0777;
    }
    std::string data_;
};

TEST_F(ZeroConfig, MakesUpTwoUsersOnceAndKeepsThem) {
    const auto first = default_users(data_);
    ASSERT_TRUE(first) << first.error();
    ASSERT_EQ(first->size(), 2U);
    EXPECT_EQ(first->front().name, "alice");
    EXPECT_NE(first->front().password, first->back().password);
    EXPECT_EQ(mode_of("/users"), 0600U);
    const auto second = default_users(data_);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->front().password, first->front().password);
}

TEST_F(ZeroConfig, ReadsUsersThatAPersonWrote) {
    std::filesystem::create_directory(data_);
    std::ofstream{data_ + "/users"} << "# ours\n\ncarol:with:colons\n";
    const auto users = default_users(data_);
    ASSERT_TRUE(users) << users.error();
    ASSERT_EQ(users->size(), 1U);
    EXPECT_EQ(users->front().password, "with:colons");
    std::ofstream{data_ + "/users"} << "carol:x\nsecretword\n";
    EXPECT_EQ(default_users(data_).error(), data_ + "/users:2: expected NAME:PASSWORD");
}

TEST_F(ZeroConfig, HasListenersAndADomainWithoutBeingTold) {
    Config config;
    add_default_places(config);
    EXPECT_EQ(config.settings.listeners.size(), 4U);
    for (const auto& listener : config.settings.listeners) {
        EXPECT_TRUE(listener.at.address.is_loopback());
    }
    EXPECT_EQ(config.settings.domains.front().name, "localhost");
}

TEST_F(ZeroConfig, TheDataFolderIsForOneProcess) {
    auto first = DataFolder::open(data_);
    ASSERT_TRUE(first) << first.error();
    EXPECT_EQ(first->secret().size(), 32U);
    EXPECT_EQ(mode_of("/secret"), 0600U);
    EXPECT_EQ(mode_of(""), 0700U);
    const auto second = DataFolder::open(data_);
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().contains("in use by another callwright serve"));
    const auto secret = first->secret();
    first = std::unexpected{std::string{}};
    EXPECT_EQ(DataFolder::open(data_)->secret(), secret) << "the same after a restart";
}

TEST_F(ZeroConfig, IssuesACertificateAndKeepsIt) {
    const auto folder = DataFolder::open(data_);
    ASSERT_TRUE(folder) << folder.error();
    const auto now = net::Loop::now();
    const auto loopback = *IpAddress::parse("127.0.0.1");
    const auto files = folder->throw_away_certificate({"localhost"}, {loopback}, now);
    ASSERT_TRUE(files) << files.error();
    EXPECT_EQ(files->certificate, data_ + "/localhost.pem");
    EXPECT_EQ(mode_of("/localhost.key"), 0600U);
    EXPECT_EQ(mode_of("/ca.key"), 0600U);
    net::TlsSettings settings;
    settings.certificates = {*files};
    const auto context = net::TlsContext::make(net::TlsContext::Role::Server, settings);
    EXPECT_TRUE(context) << context.error();
    const auto written = std::filesystem::last_write_time(files->certificate);
    ASSERT_TRUE(folder->throw_away_certificate({"localhost"}, {loopback}, now));
    EXPECT_EQ(std::filesystem::last_write_time(files->certificate), written);
}

} // namespace
