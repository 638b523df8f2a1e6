// A Call as bytes that outlive the program that wrote them: for a store, and for calls that wait to
// be looked at again.
//
// Each structure is written with its length, its fields in the order of this version. A field that
// a later version adds stands at the end of its structure: a reader that does not know it skips it,
// and one that misses it leaves its default. Fields are never taken out or put elsewhere; numbers
// of enumerators stay.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flow/call.hpp"

namespace cw::flow {

// Appends the record of `call` to `out`.
void append_record(const Call& call, std::string& out);

// Names of TLS alerts are static texts, which a record does not hold: it asks for them.
using AlertName = std::string_view (*)(std::uint8_t number);

// Reads a record into `call`, which is emptied first. False when the bytes are not one; `call` is
// then empty. Whatever the bytes are, every index and every Text in the call is valid, and it takes
// no more memory than some times theirs.
bool read_record(std::string_view bytes, Call& call, AlertName alert_name);

} // namespace cw::flow
