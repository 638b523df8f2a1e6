// Reads a capture the way the program does, for tests: file, keys, decoder, book.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "capture/decoder.hpp"
#include "capture/packet_source.hpp"
#include "crypto/key_log.hpp"
#include "flow/book.hpp"

namespace cw::test {

struct Reading {
    flow::Book book;
    crypto::KeyRing keys;
    std::uint64_t packets = 0;
    std::vector<std::string> problems;
    std::vector<capture::Ignored::Entry> ignored;

    std::vector<flow::Call> calls();
    std::vector<flow::Connection> connections();
};

// Null when the file could not be opened. `tap` hears the media.
std::unique_ptr<Reading> read_capture(const std::string& path, const std::string& key_file = {},
                                      flow::MediaTap* tap = nullptr);
std::unique_ptr<Reading> read_capture(Bytes file);

} // namespace cw::test
