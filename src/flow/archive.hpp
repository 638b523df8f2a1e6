// Finished things as blobs for the spool, and back. A blob never leaves the process that made it,
// so its records are copied as they lie in memory.
#pragma once

#include <string>
#include <string_view>

#include "flow/call.hpp"
#include "flow/leg.hpp"
#include "flow/spool.hpp"

namespace cw::flow {

// A stretch of a leg, with the blob of the leg's stretch before it. `out` is overwritten.
void pack(const Stretch& stretch, BlobRef previous, std::string& out);
// The blob before the one in `blob`.
BlobRef previous_of(std::string_view blob);
// Appends the stretch in `blob` to `out`, with indices and texts adjusted; its names replace those
// of `out`.
void unpack(std::string_view blob, Stretch& out);

void pack(const Connection& connection, std::string& out);
bool unpack(std::string_view blob, Connection& out);

// A stream with the pool that its texts are in.
void pack(const MediaStream& stream, std::string_view texts, std::string& out);
// Adds the texts to `pool` and returns the stream that refers to them.
MediaStream unpack_stream(std::string_view blob, TextPool& pool);

} // namespace cw::flow
