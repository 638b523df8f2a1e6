// A fuzzer is one file of this folder that defines fuzz(). With CALLWRIGHT_FUZZ (clang) it becomes
// a libFuzzer program; else a test that replays fuzz/corpus/<name>/, where every input that once
// broke something is kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

void fuzz(std::span<const std::uint8_t> data);

// An invariant; unlike assert() it also holds in release builds.
inline void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}
