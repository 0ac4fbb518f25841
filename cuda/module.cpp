// ictus._cuda: the native module for a GPU, with the names and messages of ictus._core: the
// bindings are the same sources (cpp/bindings). Compiled for the CPU (emulation/) it is
// ictus._cuda_emulated.
#include <cuda_runtime.h>

#include <cstdint>

#include "bindings/families.h"
#include "call.h"
#include "device.h"
#include "families.h"

namespace ictus::cuda {
void register_tests(pybind11::module_& module);  // managed.cpp, or emulation/module.cpp
}

PYBIND11_MODULE(ICTUS_CUDA_MODULE, module) {
  namespace py = pybind11;
  module.doc() = "Native kernels of ictus for a GPU.";
  module.def("device_count", &ictus::cuda::device_count,
             "How many devices there are; RuntimeError where the driver does not answer.");
  module.def("set_stream", &ictus::cuda::set_stream, py::arg("stream"),
             "The stream, as an address, of calls of this thread whose arrays do not name one.");
  ictus::cuda::register_tests(module);
  ictus::bindings::register_sequences(module);
  py::list families;
#define ICTUS_REGISTER(family, Table)         \
  ictus::bindings::register_##family(module); \
  families.append(#family);
  ICTUS_CUDA_FAMILIES(ICTUS_REGISTER)
#undef ICTUS_REGISTER
  module.attr("families") = families;
}
