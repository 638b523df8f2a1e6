// What the readers of the file formats share: limits, and what they find besides packets.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/address.hpp"
#include "capture/packet.hpp"

namespace cw::capture {

// A frame larger than this is taken for damage: no link that we know carries one (the largest that
// libpcap writes is as large).
inline constexpr std::uint32_t max_frame = 256 * 1024;

// What was wrong with a file, a line each kind. At most 32 kinds; a kind that comes again is
// counted in its line.
class Problems {
  public:
    // `kind` tells the kinds apart and must be a literal; `line` is kept of its first time.
    void add(const char* kind, std::string line);
    [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

  private:
    struct Seen {
        const char* kind;
        std::uint64_t times;
        std::size_t bare; // length of the line without its count
    };
    std::vector<Seen> seen_;
    std::vector<std::string> lines_;
};

// Filled by a reader as it reads on.
struct FileNotes {
    Problems problems;
    std::vector<std::string> secrets; // TLS key log texts, not fetched yet
    std::vector<std::pair<IpAddress, std::string>> names;
};

// One file format. next() fills in the packet (all but `input` and `frame`); false at the end.
class Container {
  public:
    Container() = default;
    Container(const Container&) = delete;
    Container& operator=(const Container&) = delete;
    virtual ~Container() = default;
    virtual bool next(Packet& packet) = 0;
};

} // namespace cw::capture
