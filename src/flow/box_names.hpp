// What the boxes of a ladder are called. Evidence, best first: names that the capture or a person
// gave; for the ends of a call its From and To; for servers the name that a TLS client asked for,
// the server's certificate, and the domain that it answers for.
#pragma once

#include <vector>

#include "flow/boxes.hpp"

namespace cw::flow {

// Fills name and user_agent of `named`, which are the boxes of `boxes`. A box about which nothing
// is known keeps an empty name.
void name_boxes(const Call& call, const Boxes& boxes, KnownNames names, std::vector<Box>& named);

// "alice" of "sip:alice@example.com"; empty when there is none.
std::string_view user_of(std::string_view uri);
// "example.com" of "sip:alice@example.com:5070;x=y"; "[2001:db8::1]" keeps its brackets.
std::string_view host_of(std::string_view uri);

} // namespace cw::flow
