// column_sums, row_sums, log_sum_exp, softmax, log_softmax, sum_of_squares.
#include "bindings/arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

enum class Shape { per_column, per_row, matrix };

template <class T>
using Kernel = void (*ReductionKernels<T>::*)(const ReductionArguments<T>&) noexcept;

void reduce(const char* function, py::handle x, py::handle out, Shape shape, double cost,
            Kernel<float> of_float, Kernel<double> of_double) {
  const Check check(function);
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = check.rows<const T>("x", x, {kAny, kAny});
    View<T> vout;
    if (shape == Shape::matrix) {
      vout = check.rows<T>("out", out, {vx.shape[0], vx.shape[1]}, Access::write);
      const bool in_place = vout.data == vx.data && vout.stride[0] == vx.stride[0];
      if (!in_place) check.disjoint("out", vout, "x", vx);
    } else {
      vout = check.contiguous<T>("out", out, {vx.shape[shape == Shape::per_row ? 0 : 1]},
                                 Access::write);
      check.disjoint("out", vout, "x", vx);
    }
    const ReductionArguments<T> arguments = {vx.shape[0],  vx.shape[1], vx.data,
                                             vx.stride[0], vout.data,   vout.stride[0]};
    const ReleaseGil release(cost * static_cast<double>(vx.size()));
    if constexpr (std::is_same_v<T, float>) {
      (tables<T>().reduction->*of_float)(arguments);
    } else {
      (tables<T>().reduction->*of_double)(arguments);
    }
  });
}

#define ICTUS_REDUCTION(name, shape, cost)                                    \
  module.def(#name, [](py::handle x, py::handle out) {                        \
    reduce(#name, x, out, Shape::shape, cost, &ReductionKernels<float>::name, \
           &ReductionKernels<double>::name);                                  \
  })

double sum_of_squares(py::handle x) {
  const Check check("sum_of_squares");
  return with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = check.contiguous<const T>("x", x, {kAny});
    const ReleaseGil release(2.0 * static_cast<double>(vx.shape[0]));
    return tables<T>().reduction->sum_of_squares(vx.data, vx.shape[0]);
  });
}

}  // namespace

void register_reduction(py::module_& module) {
  ICTUS_REDUCTION(column_sums, per_column, 1);
  ICTUS_REDUCTION(row_sums, per_row, 1);
  ICTUS_REDUCTION(log_sum_exp, per_row, 20);
  ICTUS_REDUCTION(softmax, matrix, 20);
  ICTUS_REDUCTION(log_softmax, matrix, 20);
  module.def("sum_of_squares", &sum_of_squares);
}

}  // namespace ictus::bindings
