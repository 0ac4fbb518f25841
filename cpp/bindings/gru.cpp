// GRULayer and GRUStream: the passes of the family gru (sequence.h has what they check).
#include "bindings/families.h"
#include "bindings/sequence.h"

namespace ictus::bindings {
namespace {

struct Gru {
  static constexpr const char* kName = "GRULayer";
  static constexpr int kExtraRows = 1;
  template <class T>
  static const RecurrentKernels<T>& kernels() {
    return *tables<T>().gru;
  }
};

}  // namespace

void register_gru(py::module_& module) {
  register_recurrent_family<Gru>(module, "GRULayer", "GRUStream");
}

}  // namespace ictus::bindings
