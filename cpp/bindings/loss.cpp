// loss (value and gradient from logits) and output_curvature.
#include "bindings/arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

Loss checked_kind(const Check& check, int kind) {
  check.require(kind >= 0 && kind < kLosses, "kind", "in 0 .. 2", kind);
  return static_cast<Loss>(kind);
}

const std::int64_t* checked_labels(const Check& check, py::handle targets, std::int64_t rows,
                                   std::int64_t classes) {
  const auto labels = check.contiguous<const std::int64_t>("targets", targets, {rows});
  std::int64_t value = 0;
  const std::int64_t row = Check::first_outside(labels, 0, classes, value);
  if (row >= 0) {
    check.value_error("targets", "must hold labels in [0, " + std::to_string(classes) + "), got " +
                                     std::to_string(value) + " in row " + std::to_string(row));
  }
  return labels.data;
}

template <class T>
const T* checked_weights(const Check& check, py::handle weights, std::int64_t rows) {
  if (Check::absent(weights)) return nullptr;
  return check.contiguous<const T>("weights", weights, {rows}).data;
}

double loss(int kind, py::handle logits, py::handle targets, py::handle gradient,
            py::handle weights, double scale) {
  const Check check("loss");
  return with_scalar(check, "logits", logits, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> z = check.rows<const T>("logits", logits, {kAny, kAny});
    LossArguments<T> a = {};
    a.rows = z.shape[0];
    a.columns = z.shape[1];
    a.logits = z.data;
    a.logits_row_stride = z.stride[0];
    a.scale = scale;
    const Loss checked = checked_kind(check, kind);
    ArrayFacts facts;
    const bool labelled = check.read("targets", targets, facts) && facts.rank == 1;
    if (labelled) {
      a.labels = checked_labels(check, targets, a.rows, a.columns);
    } else {
      const auto t = check.rows<const T>("targets", targets, {a.rows, a.columns});
      a.targets = t.data;
      a.targets_row_stride = t.stride[0];
    }
    a.weights = checked_weights<T>(check, weights, a.rows);
    if (!Check::absent(gradient)) {
      const auto g = check.rows<T>("gradient", gradient, {a.rows, a.columns}, Access::write);
      const bool in_place = g.data == z.data && g.stride[0] == z.stride[0];
      if (!in_place) check.disjoint("gradient", g, "logits", z);
      a.gradient = g.data;
      a.gradient_row_stride = g.stride[0];
    }
    const ReleaseGil release(20.0 * static_cast<double>(z.size()));
    return tables<T>().loss->evaluate(checked, a);
  });
}

void output_curvature(int kind, py::handle logits, py::handle v, py::handle out, py::handle weights,
                      double scale) {
  const Check check("output_curvature");
  with_scalar(check, "logits", logits, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> z = check.rows<const T>("logits", logits, {kAny, kAny});
    const View<const T> vv = check.rows<const T>("v", v, {z.shape[0], z.shape[1]});
    const View<T> o = check.rows<T>("out", out, {z.shape[0], z.shape[1]}, Access::write);
    const bool in_place = o.data == vv.data && o.stride[0] == vv.stride[0];
    if (!in_place) check.disjoint("out", o, "v", vv);
    check.disjoint("out", o, "logits", z);
    const CurvatureArguments<T> a = {z.shape[0],
                                     z.shape[1],
                                     z.data,
                                     z.stride[0],
                                     vv.data,
                                     vv.stride[0],
                                     checked_weights<T>(check, weights, z.shape[0]),
                                     o.data,
                                     o.stride[0],
                                     scale};
    const Loss checked = checked_kind(check, kind);
    const ReleaseGil release(20.0 * static_cast<double>(z.size()));
    tables<T>().loss->curvature(checked, a);
  });
}

}  // namespace

void register_loss(py::module_& module) {
  module.def("loss", &loss);
  module.def("output_curvature", &output_curvature);
}

}  // namespace ictus::bindings
