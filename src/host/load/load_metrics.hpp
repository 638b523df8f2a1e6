// What a load has counted by now, as Prometheus reads it.
#pragma once

#include <string>

#include "host/load/load.hpp"

namespace cw::host {

// `second`: the latest one, for what may go down.
std::string load_metrics_text(const LoadSecond& second, const LoadResult& total);

} // namespace cw::host
