// The location service: which bindings an address of record has [RFC 3261 §10]. In memory, whole on
// each shard; what changes is told as LocationChange, to be made durable and told to the others.
// Records lie in one array and are chained by index. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/deadlines.hpp"
#include "base/time.hpp"
#include "server/binding.hpp"
#include "server/directory.hpp"
#include "server/host_side.hpp"

namespace cw::server {

class Location {
  public:
    static constexpr std::uint32_t nobody = 0xffff'ffff;
    struct Record {
        std::string key;
        std::string data; // a Binding, encoded
        Instant expires;

      private:
        friend class Location;
        std::string aor;
        std::uint32_t next = nobody; // of the same address of record
        std::uint32_t next_on_wire = nobody;
        std::uint32_t previous_on_wire = nobody;
        std::uint32_t place = 0xffff'ffff; // among the deadlines
        std::uint64_t wire = 0;            // 0: none that could close
    };

    // `shard` and `boot` say which wires are of this process, and which of those this shard owns.
    Location(std::uint8_t shard, std::uint64_t boot);

    // Adds, replaces or (without data) removes. Data that cannot be decoded is not taken.
    void apply(const LocationChange& change, Instant now);

    // The first record of an address of record and the next one; nullptr: no more. Valid until the
    // next change.
    [[nodiscard]] const Record* first(std::string_view aor) const;
    [[nodiscard]] const Record* next(const Record& record) const;
    [[nodiscard]] const Record* find(std::string_view aor, std::string_view key) const;

    // Bindings whose time is over go; those whose wire this shard owns are told to the others.
    void advance(Instant now, std::vector<LocationChange>& changes);
    // Bindings that were made over a connection are gone with it [RFC 5626 §5.3], but for those
    // that their URI leads to as well.
    void on_wire_closed(const transaction::Wire& wire, std::vector<LocationChange>& changes);
    [[nodiscard]] Instant next_deadline() const;
    [[nodiscard]] std::size_t size() const { return records_.size() - free_.size(); }

  private:
    struct Places {
        Location* location;
        std::uint32_t& place(std::uint32_t index) const;
    };
    [[nodiscard]] std::uint32_t find_index(std::string_view aor, std::string_view key) const;
    void add(const LocationChange& change, const Binding& binding);
    void remove(std::uint32_t index);
    void link_wire(std::uint32_t index, const Binding& binding);
    void unlink_wire(std::uint32_t index);

    std::uint8_t shard_;
    std::uint64_t boot_;
    std::vector<Record> records_;
    std::vector<std::uint32_t> free_;
    ByText<std::uint32_t> by_aor_; // the first record
    boost::unordered_flat_map<std::uint64_t, std::uint32_t> by_wire_;
    Deadlines<std::uint32_t, Places> deadlines_;
};

} // namespace cw::server
