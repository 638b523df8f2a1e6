# The files of src/view/page become texts within the program, so that it needs none beside it.
set(page_folder ${CMAKE_CURRENT_LIST_DIR}/../src/view/page)
foreach(file ladder.css)
  string(MAKE_C_IDENTIFIER ${file} name)
  file(READ ${page_folder}/${file} ${name})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${page_folder}/${file})
endforeach()
configure_file(${page_folder}/files.cpp.in ${CMAKE_CURRENT_BINARY_DIR}/page_files.cpp @ONLY)
target_sources(cw_view PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/page_files.cpp)
