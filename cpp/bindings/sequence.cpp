// Sequences, and the checks of recurrent layers' arrays (sequence.h).
#include "bindings/sequence.h"

#include <algorithm>
#include <numeric>

#include "bindings/families.h"

namespace ictus::bindings {

SequenceLengths::SequenceLengths(py::handle lengths) {
  const Check check("Sequences");
  const View<const std::int64_t> v = check.on_host<std::int64_t>("lengths", lengths, {kAny});
  const auto count = static_cast<std::size_t>(v.shape[0]);
  lengths_.resize(count);
  first_row_.resize(count);
  order_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t length = v.data[i];
    if (length < 1 || length > (std::int64_t{1} << 40)) {
      check.value_error("lengths", "must be positive, got " + std::to_string(length) +
                                       " for sequence " + std::to_string(i));
    }
    lengths_[i] = length;
    first_row_[i] = rows_;
    rows_ += length;
  }
  std::iota(order_.begin(), order_.end(), std::int64_t{0});
  std::stable_sort(order_.begin(), order_.end(), [&](std::int64_t a, std::int64_t b) {
    return lengths_[static_cast<std::size_t>(a)] > lengths_[static_cast<std::size_t>(b)];
  });
}

RecurrentArrays::RecurrentArrays(const char* name, std::int64_t gates, std::int64_t states,
                                 int extra_rows, py::object input_weights,
                                 py::object recurrent_weights, py::object bias, py::object extra,
                                 int activation)
    : gate_count(gates),
      state_count(states),
      name_(name),
      arrays_{std::move(input_weights), std::move(recurrent_weights), std::move(bias),
              std::move(extra)},
      is_float_(Check(name).is_float("input_weights", arrays_[0])),
      activation_(static_cast<Activation>(activation)) {
  const Check check(name);
  const bool known =
      activation_ == Activation::tanh || (activation_ == Activation::relu && gates == 1);
  check.require(known, "activation", "that of tanh, or of relu in a simple recurrent layer",
                activation);
  if (is_float_) {
    check_arrays<float>(check, extra_rows);
  } else {
    check_arrays<double>(check, extra_rows);
  }
}

template <class T>
void RecurrentArrays::check_arrays(const Check& check, int extra_rows) {
  const auto look = [&](int index, const char* name, std::initializer_list<std::int64_t> shape) {
    const View<const T> v = check.contiguous<const T>(name, arrays_[index], shape);
    pointers_[index] = const_cast<T*>(v.data);
    ArrayFacts facts;
    check.read(name, arrays_[index], facts);
    writeable_ = writeable_ && facts.writeable;
    return v;
  };
  const View<const T> recurrent = look(1, "recurrent_weights", {kAny, kAny, kAny});
  directions = recurrent.shape[0];
  units = recurrent.shape[1];
  check.require(directions == 1 || directions == 2, "recurrent_weights",
                "of 1 or 2 directions in the first axis", static_cast<double>(directions));
  check.require(units >= 1, "recurrent_weights", "of at least one unit in the second axis",
                static_cast<double>(units));
  look(1, "recurrent_weights", {directions, units, gate_count * units});
  inputs = look(0, "input_weights", {kAny, directions * gate_count * units}).shape[0];
  check.require(inputs >= 1, "input_weights", "of at least one row", static_cast<double>(inputs));
  look(2, "bias", {directions * gate_count * units});
  if (Check::absent(arrays_[3])) {
    if (extra_rows == 1) check.type_error("extra", "must be the recurrent bias, got None");
    return;
  }
  if (extra_rows == 0) check.type_error("extra", "must be None for this layer");
  if (extra_rows == 1) {
    look(3, "extra", {directions, units});
  } else {
    look(3, "extra", {directions, extra_rows, units});
  }
}

void RecurrentArrays::enter(const Check& check) const {
  ArrayFacts facts;
  check.read("input_weights", arrays_[0], facts);
}

void RecurrentArrays::require_same_shapes(const Check& check, const char* argument,
                                          const RecurrentArrays& other) const {
  const bool same = inputs == other.inputs && units == other.units &&
                    directions == other.directions && is_float_ == other.is_float_ &&
                    (pointers_[3] == nullptr) == (other.pointers_[3] == nullptr);
  if (!same) check.value_error(argument, "must have the shapes and the dtype of the layer");
}

void RecurrentArrays::require_writeable(const Check& check, const char* argument) const {
  if (!writeable_) check.value_error(argument, "must be writeable, got read-only arrays");
}

void register_sequences(py::module_& module) {
  // _core and _cuda each have their own.
  py::class_<SequenceLengths>(module, "Sequences", py::module_local(),
                              "The lengths of a ragged batch.")
      .def(py::init<py::object>(), py::arg("lengths"))
      .def_property_readonly("count", [](const SequenceLengths& s) { return s.get().count; })
      .def_property_readonly("rows", [](const SequenceLengths& s) { return s.get().rows; });
}

}  // namespace ictus::bindings
