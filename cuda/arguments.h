// Device arrays by their __cuda_array_interface__ (CuPy, PyTorch, Numba), with the messages of
// cpp/bindings/arguments.h.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ictus::cuda {

namespace py = pybind11;

struct DeviceArray {
  std::uintptr_t data = 0;
  bool read_only = false;
  std::string type;
  std::vector<std::int64_t> shape, stride;  // strides count elements
};

inline std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "(";
  for (const std::int64_t extent : shape) {
    if (text.size() > 1) text += ", ";
    text += extent < 0 ? std::string("any") : std::to_string(extent);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

// Reads the interface; `shape` prescribes extents, -1 leaves one open.
inline DeviceArray device_array(const std::string& name, py::handle object,
                                const std::vector<std::int64_t>& shape, const std::string& type) {
  if (!py::hasattr(object, "__cuda_array_interface__")) {
    throw py::type_error("gemm: " + name + " must be a CuPy array, got " +
                         Py_TYPE(object.ptr())->tp_name);
  }
  const py::dict facts = object.attr("__cuda_array_interface__");
  DeviceArray array;
  array.type = facts["typestr"].cast<std::string>();
  if (array.type != "<f4" && array.type != "<f8") {
    throw py::type_error("gemm: " + name + " must have dtype float32 or float64, got " +
                         array.type);
  }
  if (!type.empty() && array.type != type) {
    throw py::type_error("gemm: " + name + " must have dtype " +
                         (type == "<f4" ? "float32, got float64" : "float64, got float32"));
  }
  array.shape = facts["shape"].cast<std::vector<std::int64_t>>();
  bool fits = array.shape.size() == shape.size();
  for (std::size_t i = 0; fits && i < shape.size(); ++i) {
    fits = shape[i] < 0 || shape[i] == array.shape[i];
  }
  if (!fits) {
    throw py::value_error("gemm: " + name + " must have shape " + shape_text(shape) + ", got " +
                          shape_text(array.shape));
  }
  const std::int64_t item = array.type == "<f4" ? 4 : 8;
  array.stride.assign(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) {
    array.stride[i - 1] = array.stride[i] * array.shape[i];
  }
  if (facts.contains("strides") && !facts["strides"].is_none()) {
    const auto bytes = facts["strides"].cast<std::vector<std::int64_t>>();
    for (std::size_t i = 0; i < bytes.size(); ++i) array.stride[i] = bytes[i] / item;
  }
  const auto data = facts["data"].cast<std::pair<std::uintptr_t, bool>>();
  array.data = data.first;
  array.read_only = data.second;
  return array;
}

}  // namespace ictus::cuda
