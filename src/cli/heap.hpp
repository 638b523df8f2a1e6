// The heap of a run that will need much of it.
#pragma once

#include <cstdint>

namespace cw::cli {

// Makes the heap large before it is used, in proportion to the bytes that will be read: the kernel
// then maps it in one go, where growing it would cost a page fault for every 4 KiB. One heap serves
// both threads of the reader. Does nothing for small inputs.
void prepare_heap(std::uint64_t bytes_to_read);

} // namespace cw::cli
