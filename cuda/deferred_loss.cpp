// loss_deferred: as loss (cpp/bindings/loss.cpp), but nothing is waited for. The value goes to a
// number on the device, and labels are not looked at: one out of range counts as no label.
#include "deferred_loss.h"

#include "bindings/arguments.h"

namespace ictus::cuda {
namespace {

namespace py = pybind11;
using bindings::Access;
using bindings::ArrayFacts;
using bindings::Check;
using bindings::kAny;
using bindings::View;

void loss_deferred(int kind, py::handle logits, py::handle targets, py::handle gradient,
                   py::handle weights, double scale, py::handle total) {
  const Check check("loss_deferred");
  bindings::with_scalar(check, "logits", logits, [&](auto scalar) {
    using T = decltype(scalar);
    check.require(kind >= 0 && kind < kLosses, "kind", "in 0 .. 2", kind);
    const View<const T> z = check.rows<const T>("logits", logits, {kAny, kAny});
    LossArguments<T> a = {};
    a.rows = z.shape[0];
    a.columns = z.shape[1];
    a.logits = z.data;
    a.logits_row_stride = z.stride[0];
    a.scale = scale;
    ArrayFacts facts;
    if (check.read("targets", targets, facts) && facts.rank == 1) {
      a.labels = check.contiguous<const std::int64_t>("targets", targets, {a.rows}).data;
    } else {
      const auto t = check.rows<const T>("targets", targets, {a.rows, a.columns});
      a.targets = t.data;
      a.targets_row_stride = t.stride[0];
    }
    if (!Check::absent(weights)) {
      a.weights = check.contiguous<const T>("weights", weights, {a.rows}).data;
    }
    const auto g = check.rows<T>("gradient", gradient, {a.rows, a.columns}, Access::write);
    const bool in_place = g.data == z.data && g.stride[0] == z.stride[0];
    if (!in_place) check.disjoint("gradient", g, "logits", z);
    a.gradient = g.data;
    a.gradient_row_stride = g.stride[0];
    add_loss(static_cast<Loss>(kind), a,
             check.contiguous<double>("total", total, {1}, Access::write).data);
  });
}

}  // namespace

void register_deferred_loss(py::module_& module) {
  module.def("loss_deferred", &loss_deferred, "As loss; adds the value to an array on the device.");
}

}  // namespace ictus::cuda
