// The heap of a run that will need much of it.
#pragma once

#include <cstdint>

namespace cw::cli {

// Makes the heap large before it is used, in proportion to the bytes that will be read: the kernel
// then maps it in one go, where growing it would cost a page fault for every 4 KiB. One heap serves
// both threads of the reader. Does nothing for small inputs.
void prepare_heap(std::uint64_t bytes_to_read);

// Before the threads of a server begin: the heap of each is given in pieces of 64 MiB, of which
// what is not used is never there. Else glibc asks the kernel for every 4 KiB by which a thread's
// heap grows, four times for a TLS connection.
void prepare_thread_heaps();

// Begins the program anew (execve) with the heap in pages of 2 MiB, where the kernel gives them to
// those who ask (docs/decisions/0013). glibc can be told that by the environment alone, before the
// program begins [glibc manual, Memory Allocation Tunables]. To be called first of all: nothing
// that was opened or read is handed on. Returns where it was done already, where the kernel gives
// such pages to all or to none, in a program with more rights than its user, and on any error.
void restart_with_large_pages();

} // namespace cw::cli
