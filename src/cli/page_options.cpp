#include "cli/page_options.hpp"

#include <array>

#include <openssl/evp.h>

#include "base/base64.hpp"

namespace cw::cli {
namespace {

// The page's Content-Security-Policy names the one script that may run by its digest.
std::string digest_of(std::string_view script) {
    std::array<std::uint8_t, 32> digest{};
    std::size_t size = digest.size();
    if (EVP_Q_digest(nullptr, "SHA256", nullptr, script.data(), script.size(), digest.data(),
                     &size) != 1) {
        return {};
    }
    return "sha256-" + to_base64(Bytes{digest.data(), size});
}

std::string shell_quoted(std::string_view word) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+=:,@%";
    if (!word.empty() && word.find_first_not_of(plain) == std::string_view::npos) {
        return std::string{word};
    }
    std::string out = "'";
    for (const char c : word) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            out += c;
        }
    }
    return out + "'";
}

} // namespace

std::string read_command(const std::vector<std::string>& files,
                         const std::vector<std::string>& keys) {
    std::string command = "callwright read";
    for (const auto& file : files) {
        command += " " + shell_quoted(file);
    }
    for (const auto& key : keys) {
        command += " --keys " + shell_quoted(key);
    }
    return command;
}

view::PageOptions page_options(const std::string& title, const std::vector<std::string>& files,
                               const std::vector<std::string>& keys) {
    view::PageOptions options;
    options.title = title;
    options.version = CALLWRIGHT_VERSION;
    options.command = read_command(files, keys);
    options.script_hash = digest_of(view::page_script());
    return options;
}

} // namespace cw::cli
