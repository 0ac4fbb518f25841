// Probabilistic max-pooling.
#include "ictus/probabilistic_pooling.h"

#include "bindings/arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

constexpr double kOperationsPerElement = 40;

void probabilistic_pooling(py::object x, std::int64_t down, std::int64_t across, py::object mean,
                           py::object sample, py::object pooled_mean, py::object pooled_sample,
                           py::object log_sum, std::uint64_t seed, std::uint64_t stream,
                           std::int64_t first_row) {
  const Check check("probabilistic_pooling");
  check.require(down >= 1 && across >= 1, "block", "at least 1",
                static_cast<double>(down < across ? down : across));
  check.require(first_row >= 0, "first_row", "at least 0", static_cast<double>(first_row));
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = check.contiguous<const T>("x", x, {kAny, kAny, kAny, kAny});
    const std::int64_t* s = vx.shape;
    // No further than the image, so that sizes cannot overflow.
    const std::int64_t d = down < s[1] ? down : s[1] > 0 ? s[1] : 1;
    const std::int64_t c = across < s[2] ? across : s[2] > 0 ? s[2] : 1;
    const std::int64_t pooled[] = {s[0], (s[1] + d - 1) / d, (s[2] + c - 1) / c, s[3]};
    View<T> views[5];
    const char* const names[] = {"mean", "sample", "pooled_mean", "pooled_sample", "log_sum"};
    const py::object* const objects[] = {&mean, &sample, &pooled_mean, &pooled_sample, &log_sum};
    for (int i = 0; i < 5; ++i) {
      if (i > 0 && Check::absent(*objects[i])) continue;
      const std::int64_t* wanted = i < 2 ? s : pooled;
      views[i] = check.contiguous<T>(names[i], *objects[i],
                                     {wanted[0], wanted[1], wanted[2], wanted[3]}, Access::write);
      if (i == 0) {
        check.same_or_disjoint(names[i], views[i], "x", vx);
      } else {
        check.disjoint(names[i], views[i], "x", vx);
      }
      for (int j = 0; j < i; ++j) {
        if (views[j].data != nullptr) check.disjoint(names[i], views[i], names[j], views[j]);
      }
    }
    const ReleaseGil release(kOperationsPerElement * static_cast<double>(vx.size()));
    tables<T>().probabilistic_pooling->forward(
        {s[0], s[1], s[2], s[3], d, c, vx.data, views[0].data, views[1].data, views[2].data,
         views[3].data, views[4].data, seed, stream, first_row});
  });
}

}  // namespace

void register_probabilistic_pooling(py::module_& module) {
  module.def("probabilistic_pooling", &probabilistic_pooling);
}

}  // namespace ictus::bindings
