// Batch normalization and its derivatives.
#include "ictus/batch_normalization.h"

#include "bindings/arguments.h"
#include "bindings/families.h"
#include "bindings/model.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

constexpr double kOperationsPerElement = 10;

template <class T>
T* room(std::int64_t rows, std::int64_t channels) {
  const auto elements = tables<T>().batch_normalization->workspace(rows, channels);
  return static_cast<T*>(thread_workspace(elements * static_cast<std::int64_t>(sizeof(T))));
}

void batch_normalization(py::handle x, py::handle scale, py::handle shift, py::handle running_mean,
                         py::handle running_variance, py::handle mean,
                         py::handle reciprocal_deviation, py::handle out, int activation,
                         double epsilon, double momentum, bool training) {
  const Check check("batch_normalization");
  check.require(activation >= 0 && activation < kActivations, "activation", "in 0 .. 4",
                activation);
  check.require(epsilon >= 0, "epsilon", "at least 0", epsilon);
  check.require(momentum >= 0 && momentum <= 1, "momentum", "in [0, 1]", momentum);
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = check.contiguous<const T>("x", x, {kAny, kAny});
    const std::int64_t rows = vx.shape[0], channels = vx.shape[1];
    check.require(rows >= 1 && channels >= 1, "x", "of at least one row and channel",
                  static_cast<double>(vx.size()));
    const View<T> vy = check.contiguous<T>("out", out, {rows, channels}, Access::write);
    check.same_or_disjoint("out", vy, "x", vx);
    const auto of_channels = [&](const char* name, py::handle object) {
      const View<T> v = check.contiguous<T>(name, object, {channels}, Access::write);
      check.disjoint(name, v, "x", vx);
      check.disjoint(name, v, "out", vy);
      return v.data;
    };
    const View<const T> vscale = check.contiguous<const T>("scale", scale, {channels});
    const View<const T> vshift = check.contiguous<const T>("shift", shift, {channels});
    check.disjoint("out", vy, "scale", vscale);
    check.disjoint("out", vy, "shift", vshift);
    const BatchNormalization<T> a = {rows,
                                     channels,
                                     vx.data,
                                     vscale.data,
                                     vshift.data,
                                     static_cast<T>(epsilon),
                                     static_cast<T>(momentum),
                                     training,
                                     of_channels("running_mean", running_mean),
                                     of_channels("running_variance", running_variance),
                                     of_channels("mean", mean),
                                     of_channels("reciprocal_deviation", reciprocal_deviation),
                                     static_cast<Activation>(activation),
                                     vy.data,
                                     room<T>(rows, channels)};
    const ReleaseGil release(kOperationsPerElement * static_cast<double>(vx.size()));
    tables<T>().batch_normalization->forward(a);
  });
}

void batch_normalization_backward(py::handle y_gradient, py::handle x, py::handle mean,
                                  py::handle reciprocal_deviation, py::handle scale,
                                  py::handle scale_gradient, py::handle shift_gradient,
                                  py::handle x_gradient, double beta, bool training) {
  const Check check("batch_normalization_backward");
  with_scalar(check, "y_gradient", y_gradient, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vg = check.contiguous<const T>("y_gradient", y_gradient, {kAny, kAny});
    const std::int64_t rows = vg.shape[0], channels = vg.shape[1];
    check.require(rows >= 1 && channels >= 1, "y_gradient", "of at least one row and channel",
                  static_cast<double>(vg.size()));
    const View<const T> vx = check.contiguous<const T>("x", x, {rows, channels});
    const auto given = [&](const char* name, py::handle object) {
      return check.contiguous<const T>(name, object, {channels}).data;
    };
    const auto sums = [&](const char* name, py::handle object) {
      const View<T> v = check.contiguous<T>(name, object, {channels}, Access::write);
      check.disjoint(name, v, "y_gradient", vg);
      check.disjoint(name, v, "x", vx);
      return v.data;
    };
    BatchNormalizationBackward<T> a = {rows,
                                       channels,
                                       vx.data,
                                       vg.data,
                                       given("mean", mean),
                                       given("reciprocal_deviation", reciprocal_deviation),
                                       given("scale", scale),
                                       training,
                                       static_cast<T>(beta),
                                       sums("scale_gradient", scale_gradient),
                                       sums("shift_gradient", shift_gradient),
                                       nullptr,
                                       room<T>(rows, channels)};
    if (!Check::absent(x_gradient)) {
      const View<T> v =
          check.contiguous<T>("x_gradient", x_gradient, {rows, channels}, Access::write);
      check.same_or_disjoint("x_gradient", v, "y_gradient", vg);
      check.disjoint("x_gradient", v, "x", vx);
      a.x_gradient = v.data;
    }
    const ReleaseGil release(kOperationsPerElement * static_cast<double>(vg.size()));
    tables<T>().batch_normalization->backward(a);
  });
}

void batch_normalization_tangent(py::handle x, py::handle x_dot, py::handle mean,
                                 py::handle reciprocal_deviation, py::handle scale,
                                 py::handle scale_dot, py::handle shift_dot, py::handle out,
                                 bool training) {
  const Check check("batch_normalization_tangent");
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = check.contiguous<const T>("x", x, {kAny, kAny});
    const std::int64_t rows = vx.shape[0], channels = vx.shape[1];
    check.require(rows >= 1 && channels >= 1, "x", "of at least one row and channel",
                  static_cast<double>(vx.size()));
    const View<T> vy = check.contiguous<T>("out", out, {rows, channels}, Access::write);
    check.disjoint("out", vy, "x", vx);
    const auto given = [&](const char* name, py::handle object) {
      const View<const T> v = check.contiguous<const T>(name, object, {channels});
      check.disjoint("out", vy, name, v);
      return v.data;
    };
    const T* dot = nullptr;
    if (!Check::absent(x_dot)) {
      const View<const T> v = check.contiguous<const T>("x_dot", x_dot, {rows, channels});
      check.same_or_disjoint("out", vy, "x_dot", v);
      dot = v.data;
    }
    const BatchNormalizationTangent<T> a = {rows,
                                            channels,
                                            vx.data,
                                            dot,
                                            given("mean", mean),
                                            given("reciprocal_deviation", reciprocal_deviation),
                                            given("scale", scale),
                                            given("scale_dot", scale_dot),
                                            given("shift_dot", shift_dot),
                                            training,
                                            vy.data,
                                            room<T>(rows, channels)};
    const ReleaseGil release(kOperationsPerElement * static_cast<double>(vx.size()));
    tables<T>().batch_normalization->tangent(a);
  });
}

void multiply_channels(py::handle x, py::handle factors, py::handle out) {
  const Check check("multiply_channels");
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = check.contiguous<const T>("x", x, {kAny, kAny, kAny});
    const View<const T> vf =
        check.contiguous<const T>("factors", factors, {vx.shape[0], vx.shape[2]});
    const View<T> vy =
        check.contiguous<T>("out", out, {vx.shape[0], vx.shape[1], vx.shape[2]}, Access::write);
    check.disjoint("out", vy, "x", vx);
    check.disjoint("out", vy, "factors", vf);
    const ReleaseGil release(static_cast<double>(vx.size()));
    tables<T>().batch_normalization->multiply(
        {vx.shape[0], vx.shape[1], vx.shape[2], vx.data, vf.data, vy.data});
  });
}

}  // namespace

void register_batch_normalization(py::module_& module) {
  module.def("batch_normalization", &batch_normalization);
  module.def("batch_normalization_backward", &batch_normalization_backward);
  module.def("batch_normalization_tangent", &batch_normalization_tangent);
  module.def("multiply_channels", &multiply_channels);
}

}  // namespace ictus::bindings
