// All leniency in one place: one bool a rule, false is what the grammar asks for. A server starts
// from strict(), a reader of captures from tolerant().
#pragma once

#include <cstddef>

namespace cw::sip {

struct Policy {
    // Lines that end with LF alone [RFC 3261 §25.1: CRLF]. Two readers that disagree about line
    // ends disagree about headers, so never where messages are forwarded.
    bool allow_bare_lf = false;
    // CR within a line, not followed by LF [RFC 3261 §25.1].
    bool allow_bare_cr = false;
    // A datagram that ends without the empty line [RFC 3261 §7: it "MUST be present"].
    bool allow_missing_blank_line = false;
    // More than one SP between the parts of the start line, or blanks at its end [RFC 4475
    // §3.1.2.9, §3.1.2.10].
    bool allow_start_line_space = false;
    // White space inside the Request-URI [RFC 4475 §3.1.2.8].
    bool allow_space_in_request_uri = false;
    // "<sip:…>" as a Request-URI [RFC 4475 §3.1.2.7]; the brackets are left out of the view.
    bool allow_bracketed_request_uri = false;
    // Header fields in the Request-URI, "?Route=…" [RFC 3261 §19.1.1 table 1; RFC 4475 §3.1.2.11].
    bool allow_headers_in_request_uri = false;
    // A line among the headers that is none [RFC 3261 §7.3].
    bool allow_unreadable_headers = false;
    // A stream message without Content-Length has no body [RFC 3261 §18.3: "MUST"].
    bool allow_missing_length_on_stream = false;
    // A Content-Length larger than the datagram, or several that differ: the body is what is there
    // [RFC 3261 §18.3; RFC 4475 §3.1.2.2, §3.3.9].
    bool allow_wrong_length = false;
    // A display name with a quote that never closes [RFC 4475 §3.1.2.6], or that should have been
    // quoted [§3.1.2.15].
    bool allow_sloppy_display_name = false;
    // Spaces inside <…> [RFC 4475 §3.1.2.14].
    bool allow_spaces_in_addr_spec = false;
    // A URI with "?" or "," outside of <…> in Contact, From, To [RFC 3261 §20; RFC 4475 §3.1.2.13].
    bool allow_unbracketed_uri = false;
    // What RFC 2543 did not ask for: Max-Forwards, a branch with the magic cookie, a tag in From
    // [RFC 4475 §3.4.1]. Such a request is still to be served, so strict() allows it.
    bool allow_rfc2543 = true;
    // A Date that is not in GMT or does not exist is as good as none. strict() allows it: an
    // element "shouldn't [reject] unless the contents of the Date header field were actually
    // important to its processing" [RFC 4475 §3.1.2.12].
    bool allow_bad_date = true;
    // Parameters that are empty or have stray characters, ";;" [RFC 4475 §3.1.2.1].
    bool allow_bad_params = false;
    // A character in user, password, URI parameters or headers that should be escaped: "sip:*21#@…"
    // [RFC 3261 §25.1].
    bool allow_unescaped_uri = false;

    std::size_t max_head = 65'536;    // octets of start line and headers in a stream message
    std::size_t max_body = 1'048'576; // octets of its body

    static constexpr Policy strict() { return {}; }
    static constexpr Policy tolerant() {
        return {.allow_bare_lf = true,
                .allow_bare_cr = true,
                .allow_missing_blank_line = true,
                .allow_start_line_space = true,
                .allow_space_in_request_uri = true,
                .allow_bracketed_request_uri = true,
                .allow_headers_in_request_uri = true,
                .allow_unreadable_headers = true,
                .allow_missing_length_on_stream = true,
                .allow_wrong_length = true,
                .allow_sloppy_display_name = true,
                .allow_spaces_in_addr_spec = true,
                .allow_unbracketed_uri = true,
                .allow_rfc2543 = true,
                .allow_bad_date = true,
                .allow_bad_params = true,
                .allow_unescaped_uri = true,
                .max_head = 262'144,
                .max_body = 16'777'216};
    }
};

} // namespace cw::sip
