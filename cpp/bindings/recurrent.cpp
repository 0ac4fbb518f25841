// RecurrentLayer and RecurrentStream: the passes of the family recurrent (sequence.h has what they
// check).
#include "bindings/families.h"
#include "bindings/sequence.h"

namespace ictus::bindings {
namespace {

struct Recurrent {
  static constexpr const char* kName = "RecurrentLayer";
  static constexpr int kExtraRows = 0;
  template <class T>
  static const RecurrentKernels<T>& kernels() {
    return *tables<T>().recurrent;
  }
};

}  // namespace

void register_recurrent(py::module_& module) {
  register_recurrent_family<Recurrent>(module, "RecurrentLayer", "RecurrentStream");
}

}  // namespace ictus::bindings
