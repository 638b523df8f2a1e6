// One binding of an address of record: where a user can be reached, and how [RFC 3261 §10]. Kept as
// compact bytes, in memory as on disk: a version first, so that a later program reads what an
// earlier one wrote.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "transaction/wire.hpp"

namespace cw::server {

// Views live as long as the bytes that were decoded.
struct Binding {
    std::string_view uri;      // Contact, as it was registered
    std::string_view params;   // of the Contact, to be told again: ";+sip.instance=\"…\";methods=…"
    std::string_view call_id;  // of the REGISTER that made or last refreshed it
    std::string_view instance; // +sip.instance, inside of its quotes; empty: none
    std::string_view path;     // values for Route, as Path had them; empty: none
    std::uint32_t cseq = 0;
    std::uint32_t reg_id = 0; // 0: not by RFC 5626
    std::uint16_t q = 1000;   // thousandths
    bool over_wire = false;   // requests go over `wire`, and not to where the URI leads
    bool direct = false;      // where its URI leads is where it came from: no NAT between
    std::uint64_t boot = 0;   // the start of the process that `wire` belongs to
    std::int64_t updated_ns = 0;
    std::int64_t since_ns = 0; // temporary GRUUs of its instance that are older are no more
    transaction::Wire wire;
};

inline constexpr std::size_t longest_contact = 1024; // of uri, params, call_id, instance
inline constexpr std::size_t longest_path = 2048;

void encode(const Binding& binding, std::string& out); // overwrites
// Nothing for bytes that are none, or of a version that is not known.
std::optional<Binding> decode(std::string_view data);

} // namespace cw::server
