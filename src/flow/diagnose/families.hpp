// The rules, a function a family: each looks at a case and adds what it finds.
#pragma once

#include "flow/diagnose/case.hpp"
#include "flow/diagnose/findings.hpp"
#include "flow/promises.hpp"

namespace cw::flow::diagnose {

// In this order: what the capture lacks keeps later rules from blaming the network.
void check_capture(const Case& c, Findings& out);      // capture.cpp
void check_setup(const Case& c, Findings& out);        // setup.cpp
void check_dialog(const Case& c, Findings& out);       // dialog.cpp
void check_refusal(const Case& c, Findings& out);      // refusal.cpp
void check_session(const Case& c, Findings& out);      // session.cpp
void check_registration(const Case& c, Findings& out); // registration.cpp
void check_transport(const Case& c, Findings& out);    // tls.cpp
void check_media(const Case& c, Findings& out);        // media.cpp
void check_path(const Case& c, Findings& out);         // path.cpp
void check_streams(const Case& c, Findings& out);      // stream.cpp

// Parts of check_media(). digits.cpp, srtp.cpp
void check_digits(const Case& c, Findings& out);
void check_media_keys(const Case& c, const std::vector<Promise>& promises, Findings& out);

// A part of that. dtls.cpp
void check_dtls(const Case& c, const std::vector<Promise>& promises, Findings& out);

// A connection, whether it carried messages or not.
void check_connection(const Connection& connection, const Window& window, Findings& out);
// C7, C8: could it be read?
void check_readable(const Connection& connection, Findings& out);
void check_stream(const Connection& connection, const Window& window, Findings& out);

} // namespace cw::flow::diagnose
