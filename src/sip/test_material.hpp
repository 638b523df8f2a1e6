// For the tests of this folder: messages of the shared test material, each in a heap buffer of
// exactly its size, so that a sanitizer sees a read beyond it.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace cw::test {

class ExactBytes {
  public:
    explicit ExactBytes(std::string_view text)
        : size_(text.size()), bytes_(std::make_unique<char[]>(size_)) {
        text.copy(bytes_.get(), size_);
    }
    [[nodiscard]] std::string_view text() const { return {bytes_.get(), size_}; }
    [[nodiscard]] Bytes bytes() const { return as_bytes(text()); }

  private:
    std::size_t size_;
    std::unique_ptr<char[]> bytes_;
};

inline std::filesystem::path material(const char* name) {
    return std::filesystem::path{CALLWRIGHT_SHARED_DIR} / "material" / name;
}

inline ExactBytes read_file(const std::filesystem::path& path) {
    std::ifstream in{path, std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    return ExactBytes{text};
}

// All files under `folder` whose name ends with `suffix`, in order; empty when there is no folder.
inline std::vector<std::filesystem::path> files_in(const std::filesystem::path& folder,
                                                   std::string_view suffix) {
    std::vector<std::filesystem::path> out;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator{folder, none}) {
        if (entry.is_regular_file() && entry.path().filename().string().ends_with(suffix)) {
            out.push_back(entry.path());
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}

} // namespace cw::test
