// viterbi_advance, viterbi_trace, viterbi_forward.
#include "bindings/arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

// The arrays that describe a bar pointer, in this order in every call.
struct Model {
  py::handle lengths, beat_states, beat_columns, transitions;
};

template <class T>
BarPointer<T> bar_pointer(const Check& check, const Model& model, std::int64_t columns) {
  const auto lengths = check.contiguous<const std::int32_t>("lengths", model.lengths, {kAny});
  const std::int64_t n = lengths.shape[0];
  const auto columns_of =
      check.contiguous<const std::int32_t>("beat_columns", model.beat_columns, {kAny});
  const std::int64_t beats = columns_of.shape[0];
  check.require(n > 0, "lengths", "not empty", static_cast<double>(n));
  check.require(beats > 0, "beat_columns", "not empty", static_cast<double>(beats));
  check.require(beats * n <= kMaxBeatIntervals && n < kMaxBeatIntervals, "lengths",
                "at most 65535 intervals over all beats", static_cast<double>(beats * n));
  const auto zones =
      check.contiguous<const std::int32_t>("beat_states", model.beat_states, {beats, n});
  const auto transitions = check.contiguous<const T>("transitions", model.transitions, {n, n});
  // What the checks look at; on a GPU it is fetched.
  const auto length = check.on_host<std::int32_t>("lengths", model.lengths, {n});
  const auto zone = check.on_host<std::int32_t>("beat_states", model.beat_states, {beats, n});
  const auto column = check.on_host<std::int32_t>("beat_columns", model.beat_columns, {beats});
  std::int64_t total = 0, shortest = length.data[0];
  for (std::int64_t i = 0; i < n; ++i) {
    check.require(length.data[i] > 0, "lengths", "at least 1", length.data[i]);
    total += length.data[i];
    shortest = length.data[i] < shortest ? length.data[i] : shortest;
  }
  check.require(total * beats < INT32_MAX, "lengths", "fewer than 2^31 states in all",
                static_cast<double>(total) * static_cast<double>(beats));
  for (std::int64_t i = 0; i < beats * n; ++i) {
    check.require(zone.data[i] > 0, "beat_states", "at least 1", zone.data[i]);
  }
  for (std::int64_t b = 0; b < beats; ++b) {
    check.require(column.data[b] >= 0 && (columns < 0 || column.data[b] < columns), "beat_columns",
                  "columns of the densities", column.data[b]);
  }
  return {beats,         n,       lengths.data, zones.data, columns_of.data, transitions.data,
          total * beats, shortest};
}

double operations(std::int64_t frames, std::int64_t states) {
  return 4.0 * static_cast<double>(frames) * static_cast<double>(states);
}

void advance(py::handle lengths, py::handle beat_states, py::handle beat_columns,
             py::handle transitions, py::handle densities, py::handle scores, py::handle origins) {
  const Check check("viterbi_advance");
  with_scalar(check, "densities", densities, [&](auto scalar) {
    using T = decltype(scalar);
    const auto d = check.contiguous<const T>("densities", densities, {kAny, kAny});
    const BarPointer<T> m =
        bar_pointer<T>(check, {lengths, beat_states, beat_columns, transitions}, d.shape[1]);
    const auto s = check.contiguous<T>("scores", scores, {m.states}, Access::write);
    const auto o = check.contiguous<std::uint16_t>(
        "origins", origins, {d.shape[0], m.beats, m.intervals}, Access::write);
    check.disjoint("scores", s, "densities", d);
    const ReleaseGil release(operations(d.shape[0], m.states));
    tables<T>().viterbi->advance({m, d.shape[0], d.shape[1], d.data, s.data, o.data});
  });
}

void trace(py::handle lengths, py::handle beat_states, py::handle beat_columns,
           py::handle transitions, py::handle origins, py::handle states, py::object path) {
  const Check check("viterbi_trace");
  with_scalar(check, "transitions", transitions, [&](auto scalar) {
    using T = decltype(scalar);
    const BarPointer<T> m =
        bar_pointer<T>(check, {lengths, beat_states, beat_columns, transitions}, kAny);
    const auto o =
        check.contiguous<const std::uint16_t>("origins", origins, {kAny, m.beats, m.intervals});
    const auto s = check.contiguous<std::int32_t>("states", states, {kAny}, Access::write);
    View<std::int32_t> p;
    if (!Check::absent(path)) {
      p = check.contiguous<std::int32_t>("path", path, {o.shape[0]}, Access::write);
      check.disjoint("path", p, "states", s);
    }
    std::int64_t value = 0;
    std::int64_t outside =
        Check::first_outside<std::int32_t>({s.data, 1, {s.shape[0]}, {1}}, 0, m.states, value);
    check.require(outside < 0, "states", "states of the model", static_cast<double>(value));
    outside =
        Check::first_outside<std::uint16_t>({o.data, 1, {o.size()}, {1}}, 0, m.intervals, value);
    check.require(outside < 0, "origins", "intervals of the model", static_cast<double>(value));
    tables<T>().viterbi->trace(m, o.shape[0], o.data, s.shape[0], s.data, p.data);
  });
}

void forward(py::handle lengths, py::handle beat_states, py::handle beat_columns,
             py::handle transitions, py::handle densities, py::handle probabilities,
             py::handle states) {
  const Check check("viterbi_forward");
  with_scalar(check, "densities", densities, [&](auto scalar) {
    using T = decltype(scalar);
    const auto d = check.contiguous<const T>("densities", densities, {kAny, kAny});
    const BarPointer<T> m =
        bar_pointer<T>(check, {lengths, beat_states, beat_columns, transitions}, d.shape[1]);
    const auto p = check.contiguous<T>("probabilities", probabilities, {m.states}, Access::write);
    const auto s = check.contiguous<std::int32_t>("states", states, {d.shape[0]}, Access::write);
    check.disjoint("probabilities", p, "densities", d);
    const ReleaseGil release(operations(d.shape[0], m.states));
    tables<T>().viterbi->forward({m, d.shape[0], d.shape[1], d.data, p.data, s.data});
  });
}

}  // namespace

void register_viterbi(py::module_& module) {
  module.def("viterbi_advance", &advance);
  module.def("viterbi_trace", &trace);
  module.def("viterbi_forward", &forward);
}

}  // namespace ictus::bindings
