# The libraries that the layers link, by names of ours: library::fmt, ::toml, ::zlib, ::zstd, ::cares, ::opus, ::sqlite.
#
# A release carries them in the program, as archives: finding and relocating the shared ones took half of the time of
# `callwright --version`. OpenSSL stays shared, since the engines and providers that it loads bring the shared one along,
# and libpcap is loaded by who captures (capture/pcap_library.hpp). A library without an archive stays shared, too.
set(carried OFF)
if(CMAKE_BUILD_TYPE STREQUAL Release AND NOT CALLWRIGHT_SANITIZE)
  set(carried ON)
endif()

# callwright_library(NAME ARCHIVE TARGET): library::NAME is the archive where it is carried and there, otherwise the imported target.
function(callwright_library name archive target)
  add_library(library_${name} INTERFACE)
  add_library(library::${name} ALIAS library_${name})
  find_library(CALLWRIGHT_ARCHIVE_${name} NAMES ${archive})
  mark_as_advanced(CALLWRIGHT_ARCHIVE_${name})
  if(carried AND CALLWRIGHT_ARCHIVE_${name})
    target_include_directories(library_${name} SYSTEM INTERFACE $<TARGET_PROPERTY:${target},INTERFACE_INCLUDE_DIRECTORIES>)
    target_link_libraries(library_${name} INTERFACE ${CALLWRIGHT_ARCHIVE_${name}} ${ARGN})
  else()
    target_link_libraries(library_${name} INTERFACE ${target})
  endif()
endfunction()
callwright_library(zlib libz.a ZLIB::ZLIB)
callwright_library(zstd libzstd.a PkgConfig::ZSTD)
callwright_library(cares libcares.a PkgConfig::CARES)
callwright_library(opus libopus.a PkgConfig::OPUS m)
callwright_library(sqlite libsqlite3.a SQLite::SQLite3 m ${CMAKE_DL_LIBS})

# Those in C++ have no archive, but their headers hold all that makes one. With them goes the last that needs a shared libstdc++.
if(carried)
  add_library(library_fmt STATIC cmake/carried/fmt.cpp)
  target_include_directories(library_fmt SYSTEM PUBLIC $<TARGET_PROPERTY:fmt::fmt,INTERFACE_INCLUDE_DIRECTORIES>)
  add_library(library_toml STATIC cmake/carried/toml.cpp)
  target_include_directories(library_toml SYSTEM PUBLIC $<TARGET_PROPERTY:tomlplusplus::tomlplusplus,INTERFACE_INCLUDE_DIRECTORIES>)
  target_compile_definitions(library_toml PUBLIC TOML_HEADER_ONLY=0)
  target_link_options(callwright_flags INTERFACE -static-libstdc++ -static-libgcc)
else()
  add_library(library_fmt INTERFACE)
  target_link_libraries(library_fmt INTERFACE fmt::fmt)
  add_library(library_toml INTERFACE)
  target_link_libraries(library_toml INTERFACE tomlplusplus::tomlplusplus)
endif()
add_library(library::fmt ALIAS library_fmt)
add_library(library::toml ALIAS library_toml)
