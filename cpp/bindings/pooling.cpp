// Pooling of images, and its derivatives.
#include "ictus/pooling.h"

#include "bindings/arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

// What the arrays do not tell of a pooling: down and across.
struct Geometry {
  std::int64_t window[2], stride[2], dilation[2], padding[2];
};

Geometry checked_geometry(const Check& check, const py::tuple& given) {
  if (given.size() != 8) check.value_error("geometry", "must hold 8 integers");
  std::int64_t v[8];
  for (std::size_t i = 0; i < 8; ++i) v[i] = given[i].cast<std::int64_t>();
  constexpr std::int64_t kMost = std::int64_t{1} << 15;
  for (int i = 0; i < 6; ++i) {
    const char* const names[] = {"window", "stride", "dilation"};
    check.require(v[i] >= 1 && v[i] < kMost, names[i / 2], "in [1, 2^15)",
                  static_cast<double>(v[i]));
  }
  for (int i = 6; i < 8; ++i) {
    check.require(v[i] >= 0 && v[i] < 2 * kMost, "padding", "at least 0",
                  static_cast<double>(v[i]));
  }
  return {{v[0], v[1]}, {v[2], v[3]}, {v[4], v[5]}, {v[6], v[7]}};
}

// Whether the window sees a pixel from each of its places.
bool sees_everywhere(const WindowAxis& a) {
  const auto sees = [&](std::int64_t place) {
    for (std::int64_t e = 0; e < a.elements; ++e) {
      const std::int64_t at = place * a.stride + e * a.dilation - a.padding;
      if (at >= 0 && at < a.size) return true;
    }
    return false;
  };
  // From a place that begins within the image it does; the others are before and after those.
  for (std::int64_t i = 0; i < a.places && i * a.stride < a.padding; ++i) {
    if (!sees(i)) return false;
  }
  for (std::int64_t i = a.places - 1; i >= 0 && i * a.stride - a.padding >= a.size; --i) {
    if (!sees(i)) return false;
  }
  return true;
}

template <class X, class Y>
PoolingShape checked_shape(const Check& check, const Geometry& g, const View<X>& x,
                           const View<Y>& y) {
  const auto axis = [&](int i) {
    const WindowAxis a = {x.shape[1 + i], y.shape[1 + i], g.window[i],
                          g.stride[i],    g.dilation[i],  g.padding[i]};
    if (x.size() > 0 && y.size() > 0 && !sees_everywhere(a)) {
      check.value_error("padding", "must leave every window a pixel of the image");
    }
    return a;
  };
  return {x.shape[0], axis(0), axis(1), x.shape[3]};
}

double work(const PoolingShape& s) {
  return static_cast<double>(s.batch * s.down.places * s.across.places) *
         static_cast<double>(s.down.elements * s.across.elements * s.channels);
}

template <class T>
View<const T> images(const Check& check, const char* name, py::handle object) {
  return check.contiguous<const T>(name, object, {kAny, kAny, kAny, kAny});
}

// Images of as many channels, one for one of those of x.
template <class T>
View<T> places_of(const Check& check, const char* name, py::handle object, const View<const T>& x) {
  return check.contiguous<T>(name, object, {x.shape[0], kAny, kAny, x.shape[3]}, Access::write);
}

template <class T, class A>
View<const WindowElement<T>> elements(const Check& check, py::handle argmax, const View<A>& y) {
  return check.contiguous<const WindowElement<T>>("argmax", argmax,
                                                  {y.shape[0], y.shape[1], y.shape[2], y.shape[3]});
}

void max_pooling(py::handle x, py::handle out, py::handle argmax, const py::tuple& geometry) {
  const Check check("max_pooling");
  const Geometry g = checked_geometry(check, geometry);
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = images<T>(check, "x", x);
    const View<T> vy = places_of<T>(check, "out", out, vx);
    check.disjoint("out", vy, "x", vx);
    Pooling<T> a = {checked_shape(check, g, vx, vy), vx.data, vy.data, nullptr};
    if (!Check::absent(argmax)) {
      const auto v = check.contiguous<WindowElement<T>>(
          "argmax", argmax, {vy.shape[0], vy.shape[1], vy.shape[2], vy.shape[3]}, Access::write);
      check.disjoint("argmax", v, "x", vx);
      check.disjoint("argmax", v, "out", vy);
      a.argmax = v.data;
    }
    const ReleaseGil release(work(a.shape));
    tables<T>().pooling->maximum(a);
  });
}

void max_pooling_backward(py::handle y_gradient, py::handle argmax, py::handle out,
                          const py::tuple& geometry) {
  const Check check("max_pooling_backward");
  const Geometry g = checked_geometry(check, geometry);
  with_scalar(check, "y_gradient", y_gradient, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vy = images<T>(check, "y_gradient", y_gradient);
    const View<T> vx = places_of<T>(check, "out", out, vy);
    const auto v = elements<T>(check, argmax, vy);
    check.disjoint("out", vx, "y_gradient", vy);
    check.disjoint("out", vx, "argmax", v);
    const PoolingShape shape = checked_shape(check, g, vx, vy);
    const ReleaseGil release(work(shape));
    tables<T>().pooling->maximum_backward({shape, vy.data, v.data, vx.data});
  });
}

void max_pooling_tangent(py::handle x_dot, py::handle argmax, py::handle out,
                         const py::tuple& geometry) {
  const Check check("max_pooling_tangent");
  const Geometry g = checked_geometry(check, geometry);
  with_scalar(check, "x_dot", x_dot, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = images<T>(check, "x_dot", x_dot);
    const View<T> vy = places_of<T>(check, "out", out, vx);
    const auto v = elements<T>(check, argmax, vy);
    check.disjoint("out", vy, "x_dot", vx);
    check.disjoint("out", vy, "argmax", v);
    const PoolingShape shape = checked_shape(check, g, vx, vy);
    const ReleaseGil release(work(shape));
    // The kernel reads the numbers of the elements alone.
    auto* const argmax_data = const_cast<WindowElement<T>*>(v.data);
    tables<T>().pooling->maximum_tangent({shape, vx.data, vy.data, argmax_data});
  });
}

void average_pooling(py::handle x, py::handle out, const py::tuple& geometry) {
  const Check check("average_pooling");
  const Geometry g = checked_geometry(check, geometry);
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = images<T>(check, "x", x);
    const View<T> vy = places_of<T>(check, "out", out, vx);
    check.disjoint("out", vy, "x", vx);
    const PoolingShape shape = checked_shape(check, g, vx, vy);
    const ReleaseGil release(work(shape));
    tables<T>().pooling->average({shape, vx.data, vy.data, nullptr});
  });
}

void average_pooling_backward(py::handle y_gradient, py::handle out, const py::tuple& geometry) {
  const Check check("average_pooling_backward");
  const Geometry g = checked_geometry(check, geometry);
  with_scalar(check, "y_gradient", y_gradient, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vy = images<T>(check, "y_gradient", y_gradient);
    const View<T> vx = places_of<T>(check, "out", out, vy);
    check.disjoint("out", vx, "y_gradient", vy);
    const PoolingShape shape = checked_shape(check, g, vx, vy);
    const ReleaseGil release(work(shape));
    tables<T>().pooling->average_backward({shape, vy.data, nullptr, vx.data});
  });
}

}  // namespace

void register_pooling(py::module_& module) {
  module.def("max_pooling", &max_pooling);
  module.def("max_pooling_backward", &max_pooling_backward);
  module.def("max_pooling_tangent", &max_pooling_tangent);
  module.def("average_pooling", &average_pooling);
  module.def("average_pooling_backward", &average_pooling_backward);
}

}  // namespace ictus::bindings
