// toml++'s functions, made from its headers (cmake/libraries.cmake).
#define TOML_IMPLEMENTATION
#include <toml++/toml.h>
