#include "base/pages.hpp"

#include <new>

#include <sys/mman.h>

namespace cw {

Pages::Pages(std::size_t size) : size_(size) {
    auto* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (data == MAP_FAILED) {
        throw std::bad_alloc{};
    }
    data_ = static_cast<char*>(data);
}

Pages::~Pages() {
    if (data_ != nullptr) {
        ::munmap(data_, size_);
    }
}

} // namespace cw
