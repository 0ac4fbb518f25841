// The messages of arguments.h that need no template.
#include "bindings/arguments.h"

#include <cstdio>

namespace ictus::bindings {

std::string shape_text(const std::int64_t* extents, int rank) {
  std::string text = "(";
  for (int i = 0; i < rank; ++i) {
    if (i > 0) text += ", ";
    text += extents[i] == kAny ? std::string("any") : std::to_string(extents[i]);
  }
  if (rank == 1) text += ",";
  return text + ")";
}

std::string dtype_text(py::handle array) {
  return py::str(array.attr("dtype")).cast<std::string>();
}

void Check::type_error(const char* name, const std::string& text) const {
  throw py::type_error(std::string(function_) + ": " + name + " " + text);
}

void Check::value_error(const char* name, const std::string& text) const {
  throw py::value_error(std::string(function_) + ": " + name + " " + text);
}

void Check::require(bool condition, const char* name, const char* expected, double got) const {
  if (condition) return;
  char number[32];
  std::snprintf(number, sizeof number, "%.9g", got);
  value_error(name, std::string("must be ") + expected + ", got " + number);
}

bool Check::is_float(const char* name, py::handle object) const {
  if (!py::isinstance<py::array>(object)) {
    type_error(name, std::string("must be a NumPy array, got ") + Py_TYPE(object.ptr())->tp_name);
  }
  const auto* array = py::detail::array_proxy(object.ptr());
  const auto* descriptor = py::detail::array_descriptor_proxy(array->descr);
  if (descriptor->byteorder != '>') {
    if (descriptor->type_num == py::detail::npy_api::NPY_FLOAT_) return true;
    if (descriptor->type_num == py::detail::npy_api::NPY_DOUBLE_) return false;
  }
  type_error(name, "must have dtype float32 or float64, got " + dtype_text(object));
}

}  // namespace ictus::bindings
