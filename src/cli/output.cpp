#include "cli/output.hpp"

#include <cerrno>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cw::cli {
namespace {

// What is as long goes to the kernel as it is; stdio would cut it into three.
constexpr std::size_t written_whole = std::size_t{16} << 10;

} // namespace

Result<Output> Output::open(const std::string& path, For whom) {
    Output output;
    if (path.empty() || path == "-") {
        return output;
    }
    struct stat info{};
    const bool special = ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
    output.path_ = path;
    // A device or a pipe is written to as it is.
    output.temporary_ = special ? path : fmt::format("{}.{}.tmp", path, ::getpid());
    output.file_ = std::fopen(output.temporary_.c_str(), "wbe");
    if (output.file_ != nullptr && whom == For::Owner && !special) {
        (void)::fchmod(::fileno(output.file_), S_IRUSR | S_IWUSR); // before anything is in it
    }
    if (output.file_ == nullptr) {
        return fail(Code::CannotRead, 0, "cannot be written");
    }
    return output;
}

Output::Output(Output&& other) noexcept
    : file_(std::exchange(other.file_, nullptr)), path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)), failed_(other.failed_) {}

Output::~Output() {
    if (file_ != nullptr && file_ != stdout) {
        std::fclose(file_);
        if (temporary_ != path_) {
            ::unlink(temporary_.c_str());
        }
    }
}

void Output::write(std::string_view text) {
    if (text.size() < written_whole) {
        failed_ = failed_ || std::fwrite(text.data(), 1, text.size(), file_) != text.size();
        return;
    }
    failed_ = failed_ || std::fflush(file_) != 0;
    while (!failed_ && !text.empty()) {
        const auto n = ::write(::fileno(file_), text.data(), text.size());
        if (n >= 0) {
            text.remove_prefix(static_cast<std::size_t>(n));
        } else {
            failed_ = errno != EINTR;
        }
    }
}

bool Output::finish() {
    failed_ = std::fflush(file_) != 0 || failed_;
    if (file_ == stdout) {
        return !failed_;
    }
    failed_ = std::fclose(std::exchange(file_, nullptr)) != 0 || failed_;
    if (temporary_ == path_) {
        return !failed_;
    }
    if (failed_ || std::rename(temporary_.c_str(), path_.c_str()) != 0) {
        ::unlink(temporary_.c_str());
        return false;
    }
    return true;
}

bool is_there(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

} // namespace cw::cli
