// Which of the libraries that are loaded a call was meant for.
#pragma once

namespace cw::preload {

// The function `name` as the object that `caller` lies in would have got it without us: a module
// that a program opens by itself brings libraries that are nobody else's, perhaps another OpenSSL
// than the program's. `own` is our function of that name; `libraries`, ended by null, are tried
// last. Null when there is none.
void* meant(const void* caller, const char* name, const void* own, const char* const* libraries);

} // namespace cw::preload
