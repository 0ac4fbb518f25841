// Convolution, pooling and activation in one pass, and its gradient in another.
#include "ictus/pooled_convolution.h"

#include "bindings/arguments.h"
#include "bindings/convolution_shape.h"
#include "bindings/families.h"
#include "bindings/model.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

// What the arrays do not tell: down and across.
struct Geometry {
  std::int64_t stride[2], dilation[2], padding[2], groups, pool[2];
};

Geometry checked_geometry(const Check& check, const py::tuple& given) {
  if (given.size() != 9) check.value_error("geometry", "must hold 9 integers");
  std::int64_t v[9];
  for (std::size_t i = 0; i < 9; ++i) v[i] = given[i].cast<std::int64_t>();
  constexpr std::int64_t kMost = std::int64_t{1} << 15;
  const char* const names[] = {"stride", "dilation", "padding", "groups", "pool"};
  for (int i = 0; i < 9; ++i) {
    const char* const name = names[i < 6 ? i / 2 : i == 6 ? 3 : 4];
    const bool padding = i == 4 || i == 5;
    check.require(v[i] >= (padding ? 0 : 1) && v[i] < kMost, name,
                  padding ? "in [0, 2^15)" : "in [1, 2^15)", static_cast<double>(v[i]));
  }
  return {{v[0], v[1]}, {v[2], v[3]}, {v[4], v[5]}, v[6], {v[7], v[8]}};
}

// The shape of a stage, from its three arrays: weights must fit the groups.
template <class X, class W, class Y>
PooledShape checked_shape(const Check& check, const Geometry& g, const View<X>& x, const View<W>& w,
                          const View<Y>& y) {
  const std::int64_t channels = x.shape[3], outputs = y.shape[3];
  check_groups(check, g.groups, channels, outputs, "weights", w);
  const auto axis = [&](int i) {
    return WindowAxis{x.shape[1 + i], y.shape[1 + i] * g.pool[i],
                      w.shape[i],     g.stride[i],
                      g.dilation[i],  g.padding[i]};
  };
  return {{x.shape[0], axis(0), axis(1), channels, outputs, g.groups}, g.pool[0], g.pool[1]};
}

template <class T>
View<const T> images(const Check& check, const char* name, py::handle object) {
  return check.contiguous<const T>(name, object, {kAny, kAny, kAny, kAny});
}

void pooled_convolution(py::handle x, py::handle weights, py::handle bias, int activation,
                        py::handle out, py::handle argmax, const py::tuple& geometry) {
  const Check check("pooled_convolution");
  const Geometry g = checked_geometry(check, geometry);
  check.require(activation >= 0 && activation < kActivations, "activation", "in 0 .. 4",
                activation);
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = images<T>(check, "x", x), vw = images<T>(check, "weights", weights);
    const View<T> vy =
        check.contiguous<T>("out", out, {vx.shape[0], kAny, kAny, vw.shape[3]}, Access::write);
    check.disjoint("out", vy, "x", vx);
    check.disjoint("out", vy, "weights", vw);
    PooledForward<T> a = {};
    a.shape = checked_shape(check, g, vx, vw, vy);
    a.x = vx.data;
    a.weights = vw.data;
    a.activation = static_cast<Activation>(activation);
    a.y = vy.data;
    if (!Check::absent(bias)) {
      const auto v = check.contiguous<const T>("bias", bias, {vw.shape[3]});
      check.disjoint("out", vy, "bias", v);
      a.bias = v.data;
    }
    if (!Check::absent(argmax)) {
      const auto v = check.contiguous<WindowElement<T>>(
          "argmax", argmax, {vy.shape[0], vy.shape[1], vy.shape[2], vy.shape[3]}, Access::write);
      check.disjoint("argmax", v, "x", vx);
      check.disjoint("argmax", v, "weights", vw);
      check.disjoint("argmax", v, "out", vy);
      a.argmax = v.data;
    }
    const auto& kernels = *tables<T>().pooled_convolution;
    a.workspace = static_cast<T*>(thread_workspace(kernels.forward_workspace(a.shape) *
                                                   static_cast<std::int64_t>(sizeof(T))));
    const ReleaseGil release(work(a.shape.convolution));
    kernels.forward(a);
  });
}

void pooled_convolution_backward(py::handle x, py::handle weights, py::handle y,
                                 py::handle y_gradient, py::handle argmax, int activation,
                                 double beta, py::handle weights_gradient, py::handle bias_gradient,
                                 py::handle x_gradient, const py::tuple& geometry) {
  const Check check("pooled_convolution_backward");
  const Geometry g = checked_geometry(check, geometry);
  check.require(activation >= 0 && activation < kActivations, "activation", "in 0 .. 4",
                activation);
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = images<T>(check, "x", x), vw = images<T>(check, "weights", weights);
    const View<const T> vy =
        check.contiguous<const T>("y", y, {vx.shape[0], kAny, kAny, vw.shape[3]});
    const auto like_y = {vy.shape[0], vy.shape[1], vy.shape[2], vy.shape[3]};
    const View<const T> vg = check.contiguous<const T>("y_gradient", y_gradient, like_y);
    const auto out = [&](const char* name, const View<T>& v) {
      check.disjoint(name, v, "x", vx);
      check.disjoint(name, v, "weights", vw);
      check.disjoint(name, v, "y", vy);
      check.disjoint(name, v, "y_gradient", vg);
      return v.data;
    };
    PooledBackward<T> a = {};
    a.shape = checked_shape(check, g, vx, vw, vy);
    a.x = vx.data;
    a.weights = vw.data;
    a.y = vy.data;
    a.y_gradient = vg.data;
    a.activation = static_cast<Activation>(activation);
    a.beta = static_cast<T>(beta);
    const View<T> into_w =
        check.contiguous<T>("weights_gradient", weights_gradient,
                            {vw.shape[0], vw.shape[1], vw.shape[2], vw.shape[3]}, Access::write);
    const View<T> into_b =
        check.contiguous<T>("bias_gradient", bias_gradient, {vw.shape[3]}, Access::write);
    a.weights_gradient = out("weights_gradient", into_w);
    a.bias_gradient = out("bias_gradient", into_b);
    check.disjoint("bias_gradient", into_b, "weights_gradient", into_w);
    if (g.pool[0] * g.pool[1] > 1) {
      a.argmax = check.contiguous<const WindowElement<T>>("argmax", argmax, like_y).data;
    }
    const bool wants_data = !Check::absent(x_gradient);
    if (wants_data) {
      const View<T> v =
          check.contiguous<T>("x_gradient", x_gradient,
                              {vx.shape[0], vx.shape[1], vx.shape[2], vx.shape[3]}, Access::write);
      a.x_gradient = out("x_gradient", v);
    }
    const auto& kernels = *tables<T>().pooled_convolution;
    a.workspace = static_cast<T*>(thread_workspace(kernels.backward_workspace(a.shape, wants_data) *
                                                   static_cast<std::int64_t>(sizeof(T))));
    const ReleaseGil release(3 * work(a.shape.convolution));
    kernels.backward(a);
  });
}

}  // namespace

void register_pooled_convolution(py::module_& module) {
  module.def("pooled_convolution", &pooled_convolution);
  module.def("pooled_convolution_backward", &pooled_convolution_backward);
}

}  // namespace ictus::bindings
