// The rules, a function a family: each looks at a case and adds what it finds.
#pragma once

#include "flow/diagnose/case.hpp"
#include "flow/diagnose/findings.hpp"

namespace cw::flow::diagnose {

void check_setup(const Case& c, Findings& out);        // setup.cpp
void check_dialog(const Case& c, Findings& out);       // dialog.cpp
void check_session(const Case& c, Findings& out);      // session.cpp
void check_registration(const Case& c, Findings& out); // registration.cpp
void check_media(const Case& c, Findings& out);        // media.cpp

} // namespace cw::flow::diagnose
