#include "loader.hpp"

#include <dlfcn.h>

#include "sockets.hpp"

namespace cw::preload {
namespace {

// Only in an object that is loaded already.
void* in_object(const char* object, const char* name) {
    // Note: the handle is not given back; what has made TLS connections stays loaded.
    void* handle = dlopen(object, RTLD_LAZY | RTLD_NOLOAD);
    return handle != nullptr ? dlsym(handle, name) : nullptr;
}

} // namespace

void* meant(const void* caller, const char* name, const void* own, const char* const* libraries) {
    Dl_info where{};
    if (dladdr(caller, &where) != 0 && where.dli_fname != nullptr) {
        if (void* found = in_object(where.dli_fname, name); found != nullptr && found != own) {
            return found;
        }
    }
    if (void* found = next_function(name); found != nullptr && found != own) {
        return found;
    }
    for (; *libraries != nullptr; ++libraries) {
        if (void* found = in_object(*libraries, name); found != nullptr && found != own) {
            return found;
        }
    }
    return nullptr;
}

} // namespace cw::preload
