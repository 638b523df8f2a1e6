# The parser benches: ours, and where they are installed those of other libraries on the same
# message. Each prints `ns_per_message N`.
bench_program(parse_sip cw_sip)

pkg_check_modules(OSIP QUIET IMPORTED_TARGET libosip2)
if(OSIP_FOUND)
  bench_program(parse_osip PkgConfig::OSIP)
endif()
pkg_check_modules(SOFIA QUIET IMPORTED_TARGET sofia-sip-ua)
if(SOFIA_FOUND)
  bench_program(parse_sofia PkgConfig::SOFIA)
endif()
pkg_check_modules(LIBRE QUIET IMPORTED_TARGET libre)
find_path(LIBRE_INCLUDE re/re.h)
if(LIBRE_FOUND AND LIBRE_INCLUDE)
  bench_program(parse_re PkgConfig::LIBRE)
endif()
