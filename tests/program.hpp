// Runs the built program as a shell would, in a folder of its own.
#pragma once

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cw::tests {

struct Outcome {
    int status = -1;
    std::string text; // standard output and standard error
};

inline Outcome run_shell(const std::string& command) {
    Outcome outcome;
    std::FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) {
        return outcome;
    }
    std::array<char, 4096> buffer{};
    while (const auto n = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
        outcome.text.append(buffer.data(), n);
    }
    const int status = ::pclose(pipe);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return outcome;
}

inline bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

inline std::string content_of(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

// A test that runs the program in an empty folder, which is removed afterwards.
class InFolder : public testing::Test {
  protected:
    void SetUp() override {
        const auto* info = testing::UnitTest::GetInstance()->current_test_info();
        folder_ =
            std::filesystem::temp_directory_path() /
            fmt::format("callwright-{}-{}-{}", info->test_suite_name(), ::getpid(), info->name());
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::string path(std::string_view name) const {
        return (folder_ / name).string();
    }
    std::string file(const std::string& name, std::string_view content) const {
        std::ofstream{path(name), std::ios::binary} << content;
        return path(name);
    }
    [[nodiscard]] Outcome run(const std::string& arguments) const {
        return run_shell(fmt::format("cd '{}' && LC_ALL=C.UTF-8 '{}' {} 2>&1", folder_.string(),
                                     CALLWRIGHT_PROGRAM, arguments));
    }

    std::filesystem::path folder_;
};

} // namespace cw::tests
