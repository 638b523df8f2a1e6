// A block of whole pages, for buffers of tens of kilobytes and more. The kernel maps all of it at
// once: a page fault for every 4 KiB costs more than what is done with the page, most of all within
// a virtual machine. Not copied, not initialised by us (the kernel gives zeros).
#pragma once

#include <cstddef>
#include <utility>

namespace cw {

class Pages {
  public:
    Pages() = default;
    // Throws std::bad_alloc as new does.
    explicit Pages(std::size_t size);
    ~Pages();
    Pages(Pages&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Pages& operator=(Pages&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }

    [[nodiscard]] char* data() const { return data_; }
    [[nodiscard]] std::size_t size() const { return size_; }

  private:
    char* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace cw
