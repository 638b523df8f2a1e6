// The address that streams leave from, where the system is not to choose it: while a Source lives,
// connect_stream() of its thread begins there. It belongs on the stack, around one connect().
#pragma once

#include <optional>

#include "base/address.hpp"

namespace cw::net {

class Source {
  public:
    explicit Source(const std::optional<IpAddress>& from);
    ~Source();
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;

    // Of this thread; nothing: none is said.
    static const std::optional<IpAddress>& now();
};

} // namespace cw::net
