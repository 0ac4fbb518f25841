// What tests ask of the emulation beside the kernels.
#include <pybind11/pybind11.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "bindings/arguments.h"
#include "cuda_runtime.h"
#include "trials.h"

namespace ictus::cuda {

namespace py = pybind11;

void register_tests(py::module_& module) {
  module.def(
      "set_order",
      [](const std::string& order) {
        if (order != "forward" && order != "reverse") {
          throw py::value_error("set_order: order must be forward or reverse, got " + order);
        }
        emulation::set_order(order == "forward" ? emulation::Order::forward
                                                : emulation::Order::reverse);
      },
      py::arg("order"), "In which order the threads of a block run between barriers.");
  module.def(
      "place",
      [](std::uintptr_t data, std::size_t bytes, int device) {
        emulation::place(reinterpret_cast<const void*>(data), bytes, device);
      },
      py::arg("data"), py::arg("bytes"), py::arg("device"),
      "Says on which device memory lies; 0 where nothing was said.");
  module.def(
      "trial",
      [](const std::string& name, py::object out) {
        const bindings::Check check("trial");
        run_trial(name, check.contiguous<float>("out", out, {64}, bindings::Access::write).data);
        check.finish();
      },
      py::arg("name"), py::arg("out"), "Runs a kernel on which the emulation is tested.");
  module.def("current_device", [] { return emulation::current_device(); });
  module.def(
      "limit_allocations",
      [](std::int64_t count) { emulation::allocations_left() = static_cast<std::size_t>(count); },
      py::arg("count"), "Memory is exhausted after so many allocations more; -1: never.");
}

}  // namespace ictus::cuda
