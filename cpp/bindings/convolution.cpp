// Convolution of images, and its gradients.
#include "ictus/convolution.h"

#include "bindings/arguments.h"
#include "bindings/convolution_shape.h"
#include "bindings/families.h"
#include "bindings/model.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

// What the arrays do not tell of a convolution: down and across, groups, and, where it is given,
// the algorithm.
struct Geometry {
  std::int64_t stride[2], dilation[2], padding[2], groups;
  ConvolutionAlgorithm algorithm;
};

Geometry checked_geometry(const Check& check, const py::tuple& given) {
  if (given.size() != 7 && given.size() != 8) {
    check.value_error("geometry", "must hold 7 or 8 integers");
  }
  std::int64_t v[8] = {};
  for (std::size_t i = 0; i < given.size(); ++i) v[i] = given[i].cast<std::int64_t>();
  constexpr std::int64_t kMost = std::int64_t{1} << 31;
  for (int i = 0; i < 2; ++i) {
    check.require(v[i] >= 1 && v[i] < kMost, "stride", "at least 1", static_cast<double>(v[i]));
    check.require(v[2 + i] >= 1 && v[2 + i] < kMost, "dilation", "at least 1",
                  static_cast<double>(v[2 + i]));
    check.require(v[4 + i] > -kMost && v[4 + i] < kMost, "padding", "below 2^31",
                  static_cast<double>(v[4 + i]));
  }
  check.require(v[6] >= 1, "groups", "at least 1", static_cast<double>(v[6]));
  check.require(v[7] >= 0 && v[7] < kConvolutionAlgorithms, "algorithm", "in 0 .. 2",
                static_cast<double>(v[7]));
  return {{v[0], v[1]}, {v[2], v[3]}, {v[4], v[5]}, v[6], static_cast<ConvolutionAlgorithm>(v[7])};
}

// The shape of a convolution, from its three arrays: weights must fit the groups.
template <class T, class X, class W, class Y>
ConvolutionShape checked_shape(const Check& check, const Geometry& g, const View<X>& x,
                               const char* weights_name, const View<W>& w, const View<Y>& y) {
  const std::int64_t channels = x.shape[3], outputs = y.shape[3];
  check_groups(check, g.groups, channels, outputs, weights_name, w);
  const auto axis = [&](int i) {
    return WindowAxis{x.shape[1 + i], y.shape[1 + i], w.shape[i],
                      g.stride[i],    g.dilation[i],  g.padding[i]};
  };
  const ConvolutionShape shape = {x.shape[0], axis(0),  axis(1),    channels,
                                  outputs,    g.groups, g.algorithm};
  if (g.algorithm == ConvolutionAlgorithm::winograd &&
      !tables<T>().convolution->winograd_fits(shape)) {
    check.value_error("algorithm",
                      "winograd is for windows of 3 x 3 or 5 x 5 with stride and dilation 1, and "
                      "1 to 2048 channels and outputs a group (float64: 1024)");
  }
  return shape;
}

void convolution(py::handle x, py::handle weights, py::handle out, py::handle bias, int activation,
                 double beta, const py::tuple& geometry) {
  const Check check("convolution");
  const Geometry g = checked_geometry(check, geometry);
  check.require(activation >= 0 && activation < kActivations, "activation", "in 0 .. 4",
                activation);
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = check.contiguous<const T>("x", x, {kAny, kAny, kAny, kAny});
    const View<const T> vw =
        check.contiguous<const T>("weights", weights, {kAny, kAny, kAny, kAny});
    const View<T> vy =
        check.contiguous<T>("out", out, {vx.shape[0], kAny, kAny, vw.shape[3]}, Access::write);
    const ConvolutionShape shape = checked_shape<T>(check, g, vx, "weights", vw, vy);
    check.disjoint("out", vy, "x", vx);
    check.disjoint("out", vy, "weights", vw);
    Epilogue<T> epilogue;
    epilogue.activation = static_cast<Activation>(activation);
    if (!Check::absent(bias)) {
      const View<const T> vb = check.contiguous<const T>("bias", bias, {vw.shape[3]});
      check.disjoint("out", vy, "bias", vb);
      epilogue.bias = vb.data;
    }
    const auto& kernels = *tables<T>().convolution;
    const auto bytes = kernels.forward_workspace(shape) * static_cast<std::int64_t>(sizeof(T));
    const auto workspace = static_cast<T*>(thread_workspace(bytes));
    const ReleaseGil release(work(shape));
    kernels.forward({shape, vx.data, vw.data, static_cast<T>(beta), vy.data, &epilogue, workspace});
  });
}

void convolution_data_gradient(py::handle y_gradient, py::handle weights, py::handle out,
                               double beta, const py::tuple& geometry) {
  const Check check("convolution_data_gradient");
  const Geometry g = checked_geometry(check, geometry);
  with_scalar(check, "y_gradient", y_gradient, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vy =
        check.contiguous<const T>("y_gradient", y_gradient, {kAny, kAny, kAny, kAny});
    const View<const T> vw =
        check.contiguous<const T>("weights", weights, {kAny, kAny, kAny, vy.shape[3]});
    const View<T> vx =
        check.contiguous<T>("out", out, {vy.shape[0], kAny, kAny, kAny}, Access::write);
    const ConvolutionShape shape = checked_shape<T>(check, g, vx, "weights", vw, vy);
    check.disjoint("out", vx, "y_gradient", vy);
    check.disjoint("out", vx, "weights", vw);
    ConvolutionBackward<T> a = {};
    a.shape = shape;
    a.weights = vw.data;
    a.y_gradient = vy.data;
    a.beta = static_cast<T>(beta);
    a.x_gradient = vx.data;
    const auto& kernels = *tables<T>().convolution;
    const auto bytes = kernels.data_workspace(shape) * static_cast<std::int64_t>(sizeof(T));
    a.workspace = static_cast<T*>(thread_workspace(bytes));
    const ReleaseGil release(work(shape));
    kernels.backward_data(a);
  });
}

void convolution_weights_gradient(py::handle x, py::handle y_gradient, py::handle out, double beta,
                                  const py::tuple& geometry) {
  const Check check("convolution_weights_gradient");
  const Geometry g = checked_geometry(check, geometry);
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = check.contiguous<const T>("x", x, {kAny, kAny, kAny, kAny});
    const View<const T> vy =
        check.contiguous<const T>("y_gradient", y_gradient, {vx.shape[0], kAny, kAny, kAny});
    const View<T> vw =
        check.contiguous<T>("out", out, {kAny, kAny, kAny, vy.shape[3]}, Access::write);
    const ConvolutionShape shape = checked_shape<T>(check, g, vx, "out", vw, vy);
    check.disjoint("out", vw, "x", vx);
    check.disjoint("out", vw, "y_gradient", vy);
    ConvolutionBackward<T> a = {};
    a.shape = shape;
    a.x = vx.data;
    a.y_gradient = vy.data;
    a.beta = static_cast<T>(beta);
    a.weights_gradient = vw.data;
    const auto& kernels = *tables<T>().convolution;
    const auto bytes = kernels.weights_workspace(shape) * static_cast<std::int64_t>(sizeof(T));
    a.workspace = static_cast<T*>(thread_workspace(bytes));
    const ReleaseGil release(work(shape));
    kernels.backward_weights(a);
  });
}

}  // namespace

void register_convolution(py::module_& module) {
  module.def("convolution", &convolution);
  module.def("convolution_data_gradient", &convolution_data_gradient);
  module.def("convolution_weights_gradient", &convolution_weights_gradient);
}

}  // namespace ictus::bindings
