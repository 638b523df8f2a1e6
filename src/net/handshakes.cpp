#include "net/handshakes.hpp"

namespace cw::net {

std::uint32_t Handshakes::enter(std::uint32_t connection, const IpAddress& source) {
    std::uint32_t place = 0;
    if (free_.empty()) {
        place = static_cast<std::uint32_t>(entries_.size());
        entries_.emplace_back();
    } else {
        place = free_.back();
        free_.pop_back();
    }
    entries_[place] = {connection, source, {}, {}};
    append(all_, &Entry::all, place);
    append(sources_[source], &Entry::own, place);
    ++size_;
    return place;
}

void Handshakes::leave(std::uint32_t place) {
    take_out(all_, &Entry::all, place);
    const auto at = sources_.find(entries_[place].source);
    take_out(at->second, &Entry::own, place);
    if (at->second.count == 0) {
        sources_.erase(at);
    }
    free_.push_back(place);
    --size_;
}

std::size_t Handshakes::size_of(const IpAddress& source) const {
    const auto at = sources_.find(source);
    return at == sources_.end() ? 0 : at->second.count;
}

std::uint32_t Handshakes::oldest() const {
    return entries_[all_.oldest].connection;
}

std::uint32_t Handshakes::oldest_of(const IpAddress& source) const {
    return entries_[sources_.find(source)->second.oldest].connection;
}

void Handshakes::append(Ends& ends, Links Entry::* links, std::uint32_t place) {
    (entries_[place].*links).older = ends.newest;
    if (ends.newest == nowhere) {
        ends.oldest = place;
    } else {
        (entries_[ends.newest].*links).newer = place;
    }
    ends.newest = place;
    ++ends.count;
}

void Handshakes::take_out(Ends& ends, Links Entry::* links, std::uint32_t place) {
    const auto [older, newer] = entries_[place].*links;
    if (older == nowhere) {
        ends.oldest = newer;
    } else {
        (entries_[older].*links).newer = newer;
    }
    if (newer == nowhere) {
        ends.newest = older;
    } else {
        (entries_[newer].*links).older = older;
    }
    --ends.count;
}

} // namespace cw::net
