# A layer is a folder of src/ and a library of the same name. It links only the layers that it may
# include (tools/check_layers holds the same table); unit tests stand beside their source.
include(${CMAKE_CURRENT_LIST_DIR}/unity.cmake)

add_library(callwright_flags INTERFACE)
target_compile_options(callwright_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wswitch-enum -Werror=unused-result)
if(CALLWRIGHT_UNITY)
  # What a neighbour in the batch declares is no mistake. Dev keeps both warnings.
  target_compile_options(callwright_flags INTERFACE -Wno-shadow -Wno-subobject-linkage)
endif()
if(CALLWRIGHT_SANITIZE)
  target_compile_options(callwright_flags INTERFACE
    -fsanitize=${CALLWRIGHT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(callwright_flags INTERFACE -fsanitize=${CALLWRIGHT_SANITIZE})
endif()
if(CALLWRIGHT_FUZZ) # libFuzzer has to see which paths an input takes, in every layer
  target_compile_options(callwright_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Tests are compiled once and run once: what optimising takes longer to make, it does not save.
add_library(callwright_test_flags INTERFACE)
target_link_libraries(callwright_test_flags INTERFACE callwright_flags)
target_compile_options(callwright_test_flags INTERFACE $<$<CONFIG:Release>:-O0 -U_FORTIFY_SOURCE>)

if(CALLWRIGHT_TESTS)
  callwright_precompile(callwright_common_test LIBRARIES callwright_test_flags library::fmt GTest::gtest
    HEADERS <algorithm> <array> <functional> <map> <memory> <optional> <string> <vector> <fmt/format.h> <gtest/gtest.h>)
endif()

# layer(NAME [LAYERS other layers…] [LIBRARIES imported targets…])
function(layer name)
  cmake_parse_arguments(ARG "" "" "LAYERS;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")

  if(sources)
    set(visibility PUBLIC)
    callwright_unity(sources ${name} ${CMAKE_CURRENT_SOURCE_DIR} ${sources})
    add_library(cw_${name} STATIC ${sources})
    target_link_libraries(cw_${name} PRIVATE callwright_flags)
  else()
    set(visibility INTERFACE)
    add_library(cw_${name} INTERFACE)
  endif()
  target_include_directories(cw_${name} ${visibility} ${CMAKE_CURRENT_SOURCE_DIR})
  list(TRANSFORM ARG_LAYERS PREPEND cw_)
  target_link_libraries(cw_${name} ${visibility} ${ARG_LAYERS} ${ARG_LIBRARIES})

  if(CALLWRIGHT_TESTS AND tests)
    callwright_unity(tests ${name}_test ${CMAKE_CURRENT_SOURCE_DIR} ${tests})
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE cw_${name} callwright_test_flags GTest::gtest_main)
    callwright_use_precompiled(${name}_test callwright_common_test)
    target_compile_definitions(${name}_test PRIVATE
      CALLWRIGHT_SOURCE_DIR="${PROJECT_SOURCE_DIR}" CALLWRIGHT_SHARED_DIR="${PROJECT_SOURCE_DIR}/../shared")
    add_test(NAME ${name} COMMAND ${name}_test)
  endif()
endfunction()
