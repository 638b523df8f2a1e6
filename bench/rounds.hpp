// Runs one parse many times and prints the median of nine rounds, in thread CPU time.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

inline double thread_cpu_ns() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

// `parse` returns whether it read what it should. Returns the exit status.
template <class Parse>
int run_rounds(int messages, Parse parse) {
    std::array<double, 9> rounds{};
    for (auto& round : rounds) {
        const auto start = thread_cpu_ns();
        for (int i = 0; i < messages; ++i) {
            if (!parse()) {
                std::fputs("the message was not parsed\n", stderr);
                return 1;
            }
        }
        round = (thread_cpu_ns() - start) / messages;
    }
    std::sort(rounds.begin(), rounds.end());
    std::printf("ns_per_message %.0f\n", rounds[rounds.size() / 2]);
    std::fprintf(stderr, "min %.0f max %.0f\n", rounds.front(), rounds.back());
    return 0;
}
