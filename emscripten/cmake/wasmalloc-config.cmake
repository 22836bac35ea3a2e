# Usage: find_package(wasmalloc REQUIRED)
#        target_link_libraries(app PRIVATE wasmalloc::bins)
#
# CMake finds this file by -Dwasmalloc_DIR=node_modules/wasmalloc/emscripten/cmake (an absolute path).
# It has no targets of its own: the package's CMakeLists.txt defines them.
if(NOT TARGET wasmalloc::wasmalloc)
  add_subdirectory("${CMAKE_CURRENT_LIST_DIR}/../.." "${CMAKE_BINARY_DIR}/wasmalloc" EXCLUDE_FROM_ALL)
endif()
