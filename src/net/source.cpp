#include "net/source.hpp"

namespace cw::net {
namespace {

thread_local std::optional<IpAddress> thread_source;

} // namespace

Source::Source(const std::optional<IpAddress>& from) {
    thread_source = from;
}

Source::~Source() {
    thread_source.reset();
}

const std::optional<IpAddress>& Source::now() {
    return thread_source;
}

} // namespace cw::net
