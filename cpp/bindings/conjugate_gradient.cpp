// cg_damp, cg_advance, cg_turn.
#include "bindings/arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

template <class T>
const T* optional_vector(const Check& check, const char* name, py::handle object,
                         std::int64_t size) {
  return Check::absent(object) ? nullptr : check.contiguous<const T>(name, object, {size}).data;
}

double damp(py::handle direction, py::handle product, double damping, double l2,
            py::handle segments) {
  const Check check("cg_damp");
  return with_scalar(check, "product", product, [&](auto scalar) {
    using T = decltype(scalar);
    const View<T> out = check.contiguous<T>("product", product, {kAny}, Access::write);
    const auto v = check.contiguous<const T>("direction", direction, {out.shape[0]});
    check.disjoint("direction", v, "product", out);
    check.require(damping >= 0, "damping", "not negative", damping);
    check.require(l2 >= 0, "l2", "not negative", l2);
    DampArguments<T> a = {out.shape[0], v.data, out.data, damping, l2, nullptr, 0};
    if (!Check::absent(segments)) {
      const auto s = check.on_host<std::int64_t>("segments", segments, {kAny, 2});
      std::int64_t last = 0;
      for (std::int64_t i = 0; i < 2 * s.shape[0]; last = s.data[i++]) {
        if (s.data[i] < last || s.data[i] > out.shape[0]) {
          check.value_error("segments", "must be ascending and within the vectors, got " +
                                            std::to_string(s.data[i]) + " in row " +
                                            std::to_string(i / 2));
        }
      }
      a.segments = s.data;
      a.segment_count = s.shape[0];
    }
    const ReleaseGil release(4.0 * static_cast<double>(a.size));
    return tables<T>().conjugate_gradient->damp(a);
  });
}

py::tuple advance(double alpha, py::handle direction, py::handle product, py::handle inverse,
                  py::handle gradient, py::handle x, py::handle residual) {
  const Check check("cg_advance");
  AdvanceSums sums = {};
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<T> vx = check.contiguous<T>("x", x, {kAny}, Access::write);
    const std::int64_t size = vx.shape[0];
    const View<T> r = check.contiguous<T>("residual", residual, {size}, Access::write);
    check.disjoint("residual", r, "x", vx);
    AdvanceArguments<T> a = {size, alpha, nullptr, nullptr, nullptr, nullptr, vx.data, r.data};
    const auto read = [&](const char* name, py::handle object) {
      const auto v = check.contiguous<const T>(name, object, {size});
      check.disjoint(name, v, "x", vx);
      check.disjoint(name, v, "residual", r);
      return v.data;
    };
    a.direction = read("direction", direction);
    a.product = read("product", product);
    a.gradient = read("gradient", gradient);
    if (!Check::absent(inverse)) a.inverse = read("inverse", inverse);
    const ReleaseGil release(9.0 * static_cast<double>(size));
    sums = tables<T>().conjugate_gradient->advance(a);
  });
  return py::make_tuple(sums.residual, sums.solution);
}

void turn(double beta, py::handle residual, py::handle inverse, py::handle direction) {
  const Check check("cg_turn");
  with_scalar(check, "direction", direction, [&](auto scalar) {
    using T = decltype(scalar);
    const View<T> p = check.contiguous<T>("direction", direction, {kAny}, Access::write);
    const std::int64_t size = p.shape[0];
    const auto r = check.contiguous<const T>("residual", residual, {size});
    check.disjoint("direction", p, "residual", r);
    const T* m = optional_vector<T>(check, "inverse", inverse, size);
    const ReleaseGil release(3.0 * static_cast<double>(size));
    tables<T>().conjugate_gradient->turn({size, beta, r.data, m, p.data});
  });
}

}  // namespace

void register_conjugate_gradient(py::module_& module) {
  module.def("cg_damp", &damp);
  module.def("cg_advance", &advance);
  module.def("cg_turn", &turn);
}

}  // namespace ictus::bindings
