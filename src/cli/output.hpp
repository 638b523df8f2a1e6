// Where a command writes its result: standard output, or a file that appears only when it is whole.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace cw::cli {

class Output {
  public:
    enum class For : std::uint8_t { All, Owner }; // Owner: what holds secrets has mode 0600
    // "" and "-" are standard output.
    static Result<Output> open(const std::string& path, For whom = For::All);
    Output(Output&& other) noexcept;
    Output& operator=(Output&&) = delete;
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;
    ~Output(); // without finish(), a file is not left behind

    void write(std::string_view text);
    // Makes the result stand: false when it could not be written (disk full).
    bool finish();

  private:
    Output() = default;

    std::FILE* file_ = stdout;
    std::string path_;      // empty for standard output
    std::string temporary_; // what is renamed to path_
    bool failed_ = false;
};

// There is a file of this name, which Output would replace.
[[nodiscard]] bool is_there(const std::string& path);

} // namespace cw::cli
