// LSTMLayer and LSTMStream: the passes of the family lstm (sequence.h has what they check).
#include "bindings/families.h"
#include "bindings/sequence.h"

namespace ictus::bindings {
namespace {

struct Lstm {
  static constexpr const char* kName = "LSTMLayer";
  static constexpr int kExtraRows = 3;
  template <class T>
  static const RecurrentKernels<T>& kernels() {
    return *tables<T>().lstm;
  }
};

}  // namespace

void register_lstm(py::module_& module) {
  register_recurrent_family<Lstm>(module, "LSTMLayer", "LSTMStream");
}

}  // namespace ictus::bindings
