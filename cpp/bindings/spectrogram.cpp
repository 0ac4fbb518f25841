// spectrogram.
#include "ictus/spectrogram.h"

#include "bindings/arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

constexpr std::int64_t kFar = std::int64_t{1} << 60;  // no overflow where a frame begins

void check_filters(const Check& check, const View<const std::int32_t>& first,
                   const View<const std::int32_t>& offsets, std::int64_t weights,
                   std::int64_t bins) {
  for (std::int64_t b = 0; b < first.shape[0]; ++b) {
    const std::int64_t from = offsets.data[b], to = offsets.data[b + 1];
    check.require(from >= 0 && from <= to && to <= weights, "offsets",
                  "ascending, within the weights", static_cast<double>(to));
    check.require(first.data[b] >= 0 && first.data[b] + (to - from) <= bins, "first",
                  "such that each band lies within the bins", first.data[b]);
  }
}

void spectrogram(py::handle signal, py::handle starts, py::handle window, std::int64_t size,
                 py::handle twiddles, py::handle positions, py::handle first, py::handle offsets,
                 py::handle weights, bool power, double scale, double mul, double add,
                 py::handle out) {
  const Check check("spectrogram");
  check.require(size >= 4 && size <= kMaxFourierSize && (size & (size - 1)) == 0, "size",
                "a power of two in [4, 16384]", static_cast<double>(size));
  with_scalar(check, "signal", signal, [&](auto scalar) {
    using T = decltype(scalar);
    const auto x = check.contiguous<const T>("signal", signal, {kAny});
    const auto s = check.contiguous<const std::int64_t>("starts", starts, {kAny});
    std::int64_t value = 0;
    std::int64_t outside = Check::first_outside(s, 1 - kFar, kFar, value);
    check.require(outside < 0, "starts", "within 2^60 samples", static_cast<double>(value));
    const auto w = check.contiguous<const T>("window", window, {kAny});
    check.require(w.shape[0] <= size, "window", "no longer than the transform",
                  static_cast<double>(w.shape[0]));
    const auto t = check.contiguous<const T>("twiddles", twiddles, {size, 2});
    const auto p = check.contiguous<const std::int32_t>("positions", positions, {size / 2});
    outside = Check::first_outside(p, 0, size / 2, value);
    check.require(outside < 0, "positions", "in [0, size / 2)", static_cast<double>(value));
    const auto f = check.contiguous<const std::int32_t>("first", first, {kAny});
    const auto o = check.contiguous<const std::int32_t>("offsets", offsets, {f.shape[0] + 1});
    const auto v = check.contiguous<const T>("weights", weights, {kAny});
    check_filters(check, check.on_host<std::int32_t>("first", first, {f.shape[0]}),
                  check.on_host<std::int32_t>("offsets", offsets, {f.shape[0] + 1}), v.shape[0],
                  size / 2 + 1);
    const View<T> y = check.rows<T>("out", out, {s.shape[0], f.shape[0]}, Access::write);
    check.disjoint("out", y, "signal", x);
    const ReleaseGil release(40.0 * static_cast<double>(size) * static_cast<double>(s.shape[0]));
    tables<T>().spectrogram->filtered({x.data, x.shape[0], s.shape[0], s.data, w.data, w.shape[0],
                                       size, t.data, p.data, f.shape[0], f.data, o.data, v.data,
                                       power, static_cast<T>(scale), static_cast<T>(mul),
                                       static_cast<T>(add), y.data, y.stride[0]});
  });
}

}  // namespace

void register_spectrogram(py::module_& module) { module.def("spectrogram", &spectrogram); }

}  // namespace ictus::bindings
