// Instruction-set levels and threads.
#include <pybind11/stl.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "bindings/families.h"
#include "core/threads.h"
#include "ictus/level.h"

namespace ictus::bindings {
namespace {

namespace py = pybind11;

std::vector<std::string> available_levels() {
  std::vector<std::string> names;
  for (int i = 0; i < kLevels; ++i) {
    const Level candidate = static_cast<Level>(i);
    if (level_available(candidate)) names.emplace_back(level_name(candidate));
  }
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void set_level_by_name(const std::string& name, const char* argument) {
  for (int i = 0; i < kLevels; ++i) {
    const Level candidate = static_cast<Level>(i);
    if (name == level_name(candidate) && set_level(candidate)) return;
  }
  throw py::value_error(std::string(argument) + " must be one of " + joined(available_levels()) +
                        " on this machine, got " + name);
}

}  // namespace

// Exported, so that a controller of threadpoolctl can tell this library from others by its symbol.
extern "C" __attribute__((visibility("default"))) int ictus_num_threads() { return num_threads(); }

void register_runtime(py::module_& module) {
  if (const char* forced = std::getenv("ICTUS_ISA"); forced != nullptr && *forced != '\0') {
    set_level_by_name(forced, "ICTUS_ISA");
  }
  module.def("instruction_set", [] { return std::string(level_name(level())); });
  module.def("instruction_sets", available_levels);
  module.def("set_instruction_set",
             [](const std::string& name) { set_level_by_name(name, "set_instruction_set: name"); });
  module.def("num_threads", &num_threads);
  module.def("default_num_threads", &default_num_threads);
  module.def("set_num_threads", [](int threads) {
    if (threads < 1 || threads > kMaxThreads) {
      throw py::value_error("set_num_threads: threads must be in 1 .. " +
                            std::to_string(kMaxThreads) + ", got " + std::to_string(threads));
    }
    set_num_threads(threads);
  });
}

}  // namespace ictus::bindings
