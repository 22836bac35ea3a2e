# Read by find_package(wasmalloc VERSION): says which version this is and whether it will do.
file(READ "${CMAKE_CURRENT_LIST_DIR}/../../package.json" package)
string(JSON PACKAGE_VERSION GET "${package}" version)

if(PACKAGE_VERSION VERSION_GREATER_EQUAL PACKAGE_FIND_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  if(PACKAGE_VERSION VERSION_EQUAL PACKAGE_FIND_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
endif()
unset(package)
