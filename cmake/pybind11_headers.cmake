# pip builds in a temporary environment, of another name each time, where pybind11 lies too. The bindings
# are compiled with a copy of its headers in the build folder, whose name stays and whose files change
# only with what they hold, so that ninja or ccache knows them again.
file(GLOB_RECURSE headers RELATIVE "${pybind11_INCLUDE_DIR}" CONFIGURE_DEPENDS "${pybind11_INCLUDE_DIR}/pybind11/*.h")
foreach(header IN LISTS headers)
  configure_file("${pybind11_INCLUDE_DIR}/${header}" "${CMAKE_BINARY_DIR}/pybind11_headers/${header}" COPYONLY)
endforeach()
set_property(TARGET pybind11::pybind11_headers PROPERTY INTERFACE_INCLUDE_DIRECTORIES
  "${CMAKE_BINARY_DIR}/pybind11_headers")
