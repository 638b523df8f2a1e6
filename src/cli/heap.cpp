#include "cli/heap.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <malloc.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

namespace cw::cli {
namespace {

// What is open at a time, and what stays of each call, in a capture of some tens of thousands.
constexpr std::uint64_t most_at_once = std::uint64_t{8} << 20;
constexpr std::uint64_t least = std::uint64_t{256} << 10;
constexpr std::uint64_t input_to_heap = 8;
// So far the kernel may use large pages; what is not needed is never touched.
constexpr std::size_t in_large_pages = std::size_t{64} << 20;

// The whole pages of a block.
struct PageRange {
    void* begin;
    std::size_t size;
};
PageRange pages_of(void* block, std::size_t size) {
    constexpr std::uintptr_t page = 4096;
    const auto begin = (reinterpret_cast<std::uintptr_t>(block) + page - 1) / page * page;
    const auto end = (reinterpret_cast<std::uintptr_t>(block) + size) / page * page;
    return {reinterpret_cast<void*>(begin), end - begin};
}

// The whole of a small file of the kernel's; empty where it can't be read.
std::string text_of(const char* path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

} // namespace

void prepare_heap(std::uint64_t bytes_to_read) {
    const auto size =
        static_cast<std::size_t>(std::min(bytes_to_read / input_to_heap, most_at_once));
    if (size < least) {
        return;
    }
    constexpr int larger_than_any = 1 << 30;
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, larger_than_any); // tables that grow leave their memory to others
    mallopt(M_TRIM_THRESHOLD, larger_than_any);
    mallopt(M_TOP_PAD, 1 << 20);
    if (auto* block = std::malloc(in_large_pages); block != nullptr) {
        // A fault for every 2 MiB instead of 4 KiB, and fewer misses of the TLB. A kernel that has
        // no such pages refuses, and then the part that is surely used is mapped in one go.
        const auto all = pages_of(block, in_large_pages);
        ::madvise(all.begin, all.size, MADV_HUGEPAGE);
#ifdef MADV_POPULATE_WRITE // since Linux 5.14; without it, all works as ever
        const auto first = pages_of(block, size);
        ::madvise(first.begin, first.size, MADV_POPULATE_WRITE);
#endif
        std::free(block);
    }
}

void prepare_thread_heaps() {
    mallopt(M_TOP_PAD, 64 << 20);
}

void restart_with_large_pages() {
    constexpr const char* variable = "GLIBC_TUNABLES";
    constexpr std::string_view tunable = "glibc.malloc.hugetlb";
    const char* said = std::getenv(variable);
    const std::string before = said == nullptr ? "" : said;
    const auto given = text_of("/sys/kernel/mm/transparent_hugepage/enabled");
    // With more rights than its user's a program is told nothing by the environment.
    if (before.contains(tunable) || !given.contains("[madvise]") || ::getauxval(AT_SECURE) != 0) {
        return;
    }
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    auto words = text_of("/proc/self/cmdline"); // each ends with a NUL
    if (error || words.empty()) {
        return;
    }
    std::vector<char*> arguments;
    for (std::size_t at = 0; at < words.size(); at = words.find('\0', at) + 1) {
        arguments.push_back(words.data() + at);
    }
    arguments.push_back(nullptr);
    const auto now = before + (before.empty() ? "" : ":") + std::string{tunable} + "=1";
    ::setenv(variable, now.c_str(), 1);
    ::execv(program.c_str(), arguments.data());
}

} // namespace cw::cli
