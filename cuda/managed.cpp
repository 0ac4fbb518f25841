// What tests ask of the module for a GPU: NumPy arrays in managed memory, which host and device
// both read, so that the tests of the CPU serve as they are (tests/devices.py). NumPy takes its
// allocator from a capsule (NEP 49).
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace ictus::cuda {

namespace py = pybind11;

namespace {

void* allocate(void*, std::size_t bytes) {
  void* memory = nullptr;
  return cudaMallocManaged(&memory, bytes == 0 ? 1 : bytes) == cudaSuccess ? memory : nullptr;
}

void* allocate_zeros(void* context, std::size_t count, std::size_t each) {
  void* memory = allocate(context, count * each);
  if (memory != nullptr) std::memset(memory, 0, count * each);
  return memory;
}

void release(void*, void* memory, std::size_t) { cudaFree(memory); }

void* reallocate(void* context, void* memory, std::size_t bytes) {
  // The old size is not given; it is known to the runtime alone, so too much may be read, never
  // beyond pages of the pool. NumPy reallocates while it reads from iterators.
  void* larger = allocate(context, bytes);
  if (larger != nullptr && memory != nullptr) {
    cudaMemcpy(larger, memory, bytes, cudaMemcpyDefault);
    release(context, memory, 0);
  }
  return larger;
}

// The layout of NumPy's PyDataMem_Handler, version 1.
struct Handler {
  char name[127];
  std::uint8_t version;
  void* context;
  void* (*malloc)(void*, std::size_t);
  void* (*calloc)(void*, std::size_t, std::size_t);
  void* (*realloc)(void*, void*, std::size_t);
  void (*free)(void*, void*, std::size_t);
};
Handler handler = {"managed", 1, nullptr, allocate, allocate_zeros, reallocate, release};

void use_managed_memory(bool use) {
  constexpr int kSetHandler = 304;  // the place of PyDataMem_SetHandler in NumPy's C interface
  const py::object capsule = py::module_::import("numpy._core.multiarray").attr("_ARRAY_API");
  auto** api = static_cast<void**>(PyCapsule_GetPointer(capsule.ptr(), nullptr));
  if (api == nullptr) throw py::error_already_set();
  const auto set = reinterpret_cast<PyObject* (*)(PyObject*)>(api[kSetHandler]);
  py::object ours;
  if (use) {
    ours = py::reinterpret_steal<py::object>(PyCapsule_New(&handler, "mem_handler", nullptr));
    if (!ours) throw py::error_already_set();
  }
  const auto before = py::reinterpret_steal<py::object>(set(ours.ptr()));
  if (!before) throw py::error_already_set();
}

bool is_managed(std::uintptr_t address) {
  cudaPointerAttributes attributes = {};
  return cudaPointerGetAttributes(&attributes, reinterpret_cast<const void*>(address)) ==
             cudaSuccess &&
         attributes.type == cudaMemoryTypeManaged;
}

void synchronize() {
  const cudaError_t status = cudaDeviceSynchronize();
  if (status != cudaSuccess) throw std::runtime_error(cudaGetErrorString(status));
}

}  // namespace

void register_tests(py::module_& module) {
  module.def("use_managed_memory", &use_managed_memory, py::arg("use"),
             "New NumPy arrays of this thread lie in managed memory; for tests.");
  module.def("is_managed", &is_managed, py::arg("address"), "Whether memory is managed.");
  module.def("synchronize", &synchronize, "Waits for the device.");
}

}  // namespace ictus::cuda
