// Files that appear whole or not at all: written beside their place, synced, then moved there. Keys
// are readable by their owner alone from the first byte on.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace cw::crypto {

inline constexpr mode_t for_owner = 0600;
inline constexpr mode_t for_all = 0644; // certificates and the like; the umask still counts

enum class IfThere : bool { Refuse, Replace };

// Fails with Usage when `path` is there and must not be replaced (also when somebody else created
// it meanwhile), with CannotRead when it cannot be written.
Result<void> write_whole(const std::string& path, std::string_view text, mode_t mode,
                         IfThere if_there);

// A whole file of at most `most` bytes. NotFound, CannotRead, LimitExceeded.
Result<std::string> read_whole(const std::string& path, std::size_t most);

} // namespace cw::crypto
