#include "net/source.hpp"

namespace cw::net {
namespace {

thread_local std::optional<IpAddress> source;

} // namespace

Source::Source(const std::optional<IpAddress>& from) {
    source = from;
}

Source::~Source() {
    source.reset();
}

const std::optional<IpAddress>& Source::now() {
    return source;
}

} // namespace cw::net
