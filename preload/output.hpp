// Text of a bounded size, and where it goes: the file or socket that `callwright keys` names in the
// environment. Any thread, also after fork; nothing here is for a signal handler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace cw::preload {

// What does not fit is dropped, and whole() tells. Wiped at the end: it holds secrets.
class Text {
  public:
    Text() = default;
    Text(const Text&) = delete;
    Text& operator=(const Text&) = delete;
    ~Text() { explicit_bzero(bytes_, sizeof bytes_); }

    Text& add(std::string_view text);
    Text& add_hex(const void* bytes, std::size_t size);
    Text& add_number(std::uint64_t number);
    [[nodiscard]] const char* data() const { return bytes_; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool whole() const { return whole_; }

  private:
    char bytes_[2048];
    std::size_t size_ = 0;
    bool whole_ = true;
};

// While one lives, errno and the thread's cancellation are as if we were not there.
class Unseen {
  public:
    Unseen();
    Unseen(const Unseen&) = delete;
    Unseen& operator=(const Unseen&) = delete;
    ~Unseen();

  private:
    int errno_;
    int cancel_ = 0;
};

// Whole lines, each with its line end, as one piece that no other writer can get into.
void put(const Text& lines);

} // namespace cw::preload
