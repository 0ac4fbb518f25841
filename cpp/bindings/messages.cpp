// The checks and messages of arguments.h that need no template, and how NumPy's arrays are read.
#include <cstdio>

#include "bindings/arguments.h"

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
  if (!py::hasattr(array, "dtype")) return "another";
  return py::str(array.attr("dtype")).cast<std::string>();
}

bool Check::read_numpy(py::handle object, ArrayFacts& facts) {
  if (!py::isinstance<py::array>(object)) return false;
  const auto* array = py::detail::array_proxy(object.ptr());
  const auto* descriptor = py::detail::array_descriptor_proxy(array->descr);
  facts.data = array->data;
  facts.rank = array->nd;
  for (int i = 0; i < array->nd && i < 32; ++i) {
    facts.shape[i] = array->dimensions[i];
    facts.stride[i] = array->strides[i];
  }
  facts.kind = descriptor->kind;
  facts.item = static_cast<int>(py::reinterpret_borrow<py::dtype>(array->descr).itemsize());
  facts.native_order = descriptor->byteorder != '>';
  facts.aligned = (array->flags & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0;
  facts.writeable = (array->flags & py::detail::npy_api::NPY_ARRAY_WRITEABLE_) != 0;
  return true;
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
  ArrayFacts facts;
  if (!read(name, object, facts)) not_an_array(name, object);
  if (facts.native_order && facts.kind == 'f') {
    if (facts.item == 4) return true;
    if (facts.item == 8) return false;
  }
  type_error(name, "must have dtype float32 or float64, got " + dtype_text(object));
}

}  // namespace ictus::bindings
