// Runs fuzz() over the files and folders named as arguments. Each input lies in a block of memory
// of its own size, so that AddressSanitizer sees a byte read too far.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "fuzz.hpp"

namespace {

bool replay(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    if (!file) {
        std::fprintf(stderr, "%s: cannot be read\n", path.c_str());
        return false;
    }
    const auto exact = std::make_unique_for_overwrite<std::uint8_t[]>(text.size());
    std::copy(text.begin(), text.end(), exact.get());
    std::fprintf(stderr, "%s\n", path.c_str()); // the last line names the input that broke it
    fuzz({exact.get(), text.size()});
    return true;
}

} // namespace

int main(int argc, char** argv) {
    bool good = true;
    fuzz({});
    for (int i = 1; i < argc; ++i) {
        std::error_code error;
        if (!std::filesystem::is_directory(argv[i], error)) {
            // An absent corpus is an empty one.
            good = (!std::filesystem::exists(argv[i], error) || replay(argv[i])) && good;
            continue;
        }
        std::vector<std::filesystem::path> paths;
        for (const auto& entry : std::filesystem::recursive_directory_iterator{argv[i]}) {
            if (entry.is_regular_file()) {
                paths.push_back(entry.path());
            }
        }
        std::ranges::sort(paths);
        for (const auto& path : paths) {
            good = replay(path) && good;
        }
    }
    return good ? 0 : 1;
}
