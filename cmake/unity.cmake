# With CALLWRIGHT_UNITY, which every preset but dev sets, some 2,000 lines of sources are compiled as
# one file: the headers and what they instantiate cost more than the sources themselves, and a build
# from nothing takes a quarter of the time. Dev compiles each source alone, so that a source includes
# what it uses and compile_commands.json knows it.
option(CALLWRIGHT_UNITY "Compile several sources as one" OFF)
find_program(AWK NAMES mawk gawk awk REQUIRED)

# callwright_unity(OUT NAME BASE sources…): OUT becomes the files to compile. BASE is the folder, on
# the include path, that the sources are named from.
function(callwright_unity out name base)
  set(${out} ${ARGN} PARENT_SCOPE)
  list(LENGTH ARGN count)
  if(NOT CALLWRIGHT_UNITY OR count LESS 2)
    return()
  endif()
  # Which sources go together depends on the names in them.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${ARGN} ${PROJECT_SOURCE_DIR}/cmake/unity.awk)
  set(sources)
  foreach(source ${ARGN})
    file(RELATIVE_PATH source ${base} ${source})
    list(APPEND sources ${source})
  endforeach()
  execute_process(COMMAND ${AWK} -v most=2000 -f ${PROJECT_SOURCE_DIR}/cmake/unity.awk ${sources}
    WORKING_DIRECTORY ${base} OUTPUT_VARIABLE dealt COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]+" dealt "${dealt}")
  set(batches)
  foreach(line ${dealt})
    string(REGEX MATCH "^([0-9]+) (.*)$" line "${line}")
    list(APPEND batches ${CMAKE_MATCH_1})
    string(APPEND text_${CMAKE_MATCH_1} "#include \"${CMAKE_MATCH_2}\"\n")
  endforeach()
  list(REMOVE_DUPLICATES batches)
  set(files)
  foreach(batch ${batches})
    set(file ${CMAKE_CURRENT_BINARY_DIR}/unity/${name}_${batch}.cpp)
    file(CONFIGURE OUTPUT ${file} CONTENT "${text_${batch}}" @ONLY) # writes only what changed
    list(APPEND files ${file})
  endforeach()
  set(${out} ${files} PARENT_SCOPE)
endfunction()

# What nearly every test includes is parsed once, and not once a batch, which saves a sixth of their
# compilation; of the layers' own, where optimising takes the time, it would save nothing. Dev does
# without, so that a source that forgets an include does not compile there.
# callwright_precompile(NAME LIBRARIES… HEADERS…): an object library whose header others reuse.
function(callwright_precompile name)
  cmake_parse_arguments(ARG "" "" "LIBRARIES;HEADERS" ${ARGN})
  if(NOT CALLWRIGHT_UNITY)
    return()
  endif()
  set(file ${PROJECT_BINARY_DIR}/${name}.cpp)
  file(CONFIGURE OUTPUT ${file} CONTENT "" @ONLY)
  add_library(${name} OBJECT ${file})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

# callwright_use_precompiled(TARGET NAME)
function(callwright_use_precompiled target name)
  if(TARGET ${name})
    target_precompile_headers(${target} REUSE_FROM ${name})
  endif()
endfunction()
