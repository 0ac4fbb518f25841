// Corruption of matrices.
#include "ictus/noise.h"

#include "bindings/arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

constexpr double kOperationsPerElement = 20;

void corrupt(int corruption, py::object x, py::object out, double level, double low, double high,
             std::uint64_t seed, std::uint64_t stream, std::int64_t first_row) {
  const Check check("corrupt");
  check.require(corruption >= 0 && corruption < kCorruptions, "corruption", "in [0, 3)",
                corruption);
  check.require(level >= 0, "level", "at least 0", level);
  check.require(first_row >= 0, "first_row", "at least 0", static_cast<double>(first_row));
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = check.rows<const T>("x", x, {kAny, kAny});
    const View<T> vout = check.rows<T>("out", out, {vx.shape[0], vx.shape[1]}, Access::write);
    check.same_or_disjoint("out", vout, "x", vx);
    const ReleaseGil release(kOperationsPerElement * static_cast<double>(vx.size()));
    tables<T>().noise->corrupt({static_cast<Corruption>(corruption), static_cast<T>(level),
                                static_cast<T>(low), static_cast<T>(high), seed, stream, first_row,
                                vx.shape[0], vx.shape[1], vx.data, vx.stride[0], vout.data,
                                vout.stride[0]});
  });
}

}  // namespace

void register_noise(py::module_& module) { module.def("corrupt", &corrupt); }

}  // namespace ictus::bindings
