# A layer is a folder of src/ and a library of the same name. It links only the layers that it may
# include (tools/check_layers holds the same table); unit tests stand beside their source.

add_library(callwright_flags INTERFACE)
target_compile_options(callwright_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wswitch-enum -Werror=unused-result)
if(CALLWRIGHT_SANITIZE)
  target_compile_options(callwright_flags INTERFACE
    -fsanitize=${CALLWRIGHT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(callwright_flags INTERFACE -fsanitize=${CALLWRIGHT_SANITIZE})
endif()
if(CALLWRIGHT_FUZZ) # libFuzzer has to see which paths an input takes, in every layer
  target_compile_options(callwright_flags INTERFACE -fsanitize=fuzzer-no-link)
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
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE cw_${name} callwright_flags GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE
      CALLWRIGHT_SOURCE_DIR="${PROJECT_SOURCE_DIR}" CALLWRIGHT_SHARED_DIR="${PROJECT_SOURCE_DIR}/../shared")
    add_test(NAME ${name} COMMAND ${name}_test)
  endif()
endfunction()
