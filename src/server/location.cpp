#include "server/location.hpp"

#include <utility>

namespace cw::server {
namespace {

// Of a connection; never 0.
std::uint64_t wire_key(const transaction::Wire& wire) {
    return (std::uint64_t{wire.generation} << 32 | wire.connection) + 1;
}

} // namespace

std::uint32_t& Location::Places::place(std::uint32_t index) const {
    return location->records_[index].place;
}

Location::Location(std::uint8_t shard, std::uint64_t boot)
    : shard_(shard), boot_(boot), deadlines_(Places{this}) {}

const Location::Record* Location::first(std::string_view aor) const {
    const auto at = by_aor_.find(aor);
    return at != by_aor_.end() ? &records_[at->second] : nullptr;
}

const Location::Record* Location::next(const Record& record) const {
    return record.next != nobody ? &records_[record.next] : nullptr;
}

std::uint32_t Location::find_index(std::string_view aor, std::string_view key) const {
    const auto at = by_aor_.find(aor);
    auto index = at != by_aor_.end() ? at->second : nobody;
    while (index != nobody && records_[index].key != key) {
        index = records_[index].next;
    }
    return index;
}

const Location::Record* Location::find(std::string_view aor, std::string_view key) const {
    const auto index = find_index(aor, key);
    return index != nobody ? &records_[index] : nullptr;
}

void Location::apply(const LocationChange& change, Instant now) {
    const auto index = find_index(change.aor, change.key);
    const auto binding = decode(change.data);
    const Instant expires{change.expires_ns};
    if (!binding || expires <= now) {
        if (index != nobody && (change.data.empty() || binding)) {
            remove(index);
        }
        return;
    }
    if (index == nobody) {
        add(change, *binding);
        return;
    }
    auto& record = records_[index];
    unlink_wire(index);
    record.data = change.data;
    record.expires = expires;
    link_wire(index, *binding);
    deadlines_.arm(index, expires);
}

void Location::add(const LocationChange& change, const Binding& binding) {
    std::uint32_t index = 0;
    if (free_.empty()) {
        index = static_cast<std::uint32_t>(records_.size());
        records_.emplace_back();
    } else {
        index = free_.back();
        free_.pop_back();
    }
    auto& record = records_[index];
    record.aor = change.aor;
    record.key = change.key;
    record.data = change.data;
    record.expires = Instant{change.expires_ns};
    record.next = std::exchange(by_aor_.try_emplace(change.aor, nobody).first->second, index);
    link_wire(index, binding);
    deadlines_.arm(index, record.expires);
}

void Location::remove(std::uint32_t index) {
    auto& record = records_[index];
    const auto at = by_aor_.find(record.aor);
    if (at->second == index) {
        if (record.next == nobody) {
            by_aor_.erase(at);
        } else {
            at->second = record.next;
        }
    } else {
        auto before = at->second;
        while (records_[before].next != index) {
            before = records_[before].next;
        }
        records_[before].next = record.next;
    }
    unlink_wire(index);
    deadlines_.disarm(index);
    record = {};
    free_.push_back(index);
}

void Location::link_wire(std::uint32_t index, const Binding& binding) {
    auto& record = records_[index];
    record.next_on_wire = record.previous_on_wire = nobody;
    record.wire = 0;
    if (!binding.over_wire || !binding.wire.reliable() || binding.boot != boot_ ||
        binding.wire.shard != shard_) {
        return;
    }
    record.wire = wire_key(binding.wire);
    const auto [at, fresh] = by_wire_.try_emplace(record.wire, index);
    if (!fresh) {
        record.next_on_wire = at->second;
        records_[at->second].previous_on_wire = index;
        at->second = index;
    }
}

void Location::unlink_wire(std::uint32_t index) {
    const auto& record = records_[index];
    if (record.wire == 0) {
        return;
    }
    if (record.next_on_wire != nobody) {
        records_[record.next_on_wire].previous_on_wire = record.previous_on_wire;
    }
    if (record.previous_on_wire != nobody) {
        records_[record.previous_on_wire].next_on_wire = record.next_on_wire;
    } else if (record.next_on_wire != nobody) {
        by_wire_[record.wire] = record.next_on_wire;
    } else {
        by_wire_.erase(record.wire);
    }
}

void Location::advance(Instant now, std::vector<LocationChange>& changes) {
    while (!deadlines_.empty() && deadlines_.next() <= now) {
        const auto index = deadlines_.first();
        const auto& record = records_[index];
        const auto binding = decode(record.data);
        if (binding && binding->wire.shard == shard_) {
            changes.push_back({record.aor, record.key, 0, {}});
        }
        remove(index);
    }
}

void Location::on_wire_closed(const transaction::Wire& wire, std::vector<LocationChange>& changes) {
    if (!wire.reliable() || wire.shard != shard_) {
        return;
    }
    for (auto at = by_wire_.find(wire_key(wire)); at != by_wire_.end();
         at = by_wire_.find(wire_key(wire))) {
        const auto index = at->second;
        auto& record = records_[index];
        auto binding = decode(record.data);
        if (!binding || !binding->direct || binding->reg_id != 0) {
            changes.push_back({record.aor, record.key, 0, {}});
            remove(index);
            continue;
        }
        unlink_wire(index);
        record.wire = 0;
        binding->over_wire = false;
        std::string data;
        encode(*binding, data);
        record.data = std::move(data);
        changes.push_back({record.aor, record.key, record.expires.ns, record.data});
    }
}

Instant Location::next_deadline() const {
    return deadlines_.empty() ? Instant{} : deadlines_.next();
}

} // namespace cw::server
