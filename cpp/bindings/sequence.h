// What the bindings of the recurrent families share. Sequences: the lengths of a ragged batch,
// checked once. RecurrentParametersOf a family: the arrays of a layer, checked once, with its
// passes.
#pragma once

#include <string>
#include <vector>

#include "bindings/arguments.h"
#include "bindings/model.h"
#include "core/tables.h"
#include "core/threads.h"
#include "ictus/sequence.h"

namespace ictus::bindings {

class SequenceLengths {
 public:
  explicit SequenceLengths(py::handle lengths);
  Sequences get() const {
    return {static_cast<std::int64_t>(lengths_.size()),
            rows_,
            lengths_.data(),
            first_row_.data(),
            order_.data(),
            num_threads()};
  }
  const std::vector<std::int64_t>& lengths() const { return lengths_; }
  const std::vector<std::int64_t>& first_row() const { return first_row_; }

 private:
  std::vector<std::int64_t> lengths_, first_row_, order_;
  std::int64_t rows_ = 0;
};

// The arrays of a layer (or gradients, or a direction, in the same shapes).
class RecurrentArrays {
 public:
  // `extra_rows`: how many vectors of `units` the extra parameter has in a direction; it is None
  // where that is 0, and may be None where it is 3 (peepholes).
  RecurrentArrays(const char* name, std::int64_t gates, std::int64_t states, int extra_rows,
                  py::object input_weights, py::object recurrent_weights, py::object bias,
                  py::object extra, int activation);

  bool is_float() const { return is_float_; }
  const char* name() const { return name_; }

  template <class T>
  RecurrentLayer<T> layer() const {
    RecurrentLayer<T> result = {inputs, units, directions, activation_, {}};
    result.parameters = {static_cast<const T*>(pointers_[0]), static_cast<const T*>(pointers_[1]),
                         static_cast<const T*>(pointers_[2]), static_cast<const T*>(pointers_[3])};
    return result;
  }
  // For gradients: the same arrays, which must be writeable.
  template <class T>
  T* gradient(int index) const {
    return static_cast<T*>(pointers_[index]);
  }
  void require_same_shapes(const Check& check, const char* argument,
                           const RecurrentArrays& other) const;
  void require_writeable(const Check& check, const char* argument) const;
  // Looks at the first array again: on a GPU it says on which device the call runs.
  void enter(const Check& check) const;

  std::int64_t inputs = 0, units = 0, directions = 0;
  const std::int64_t gate_count, state_count;

 private:
  template <class T>
  void check_arrays(const Check& check, int extra_rows);

  const char* name_;
  py::object arrays_[4];
  void* pointers_[4] = {};
  bool is_float_;
  bool writeable_ = true;
  Activation activation_;
};

template <class T>
RecurrentRecord<T> checked_record(const Check& check, const RecurrentArrays& a, std::int64_t rows,
                                  py::handle gates, py::handle memory, py::handle previous) {
  const std::int64_t wide = a.directions * a.units;
  RecurrentRecord<T> record = {};
  record.gates = writable<T>(check, "gates", gates, {rows, a.gate_count * wide});
  if (record.gates == nullptr) return record;
  record.previous = check.contiguous<T>("previous", previous, {rows, wide}, Access::write).data;
  // The simple layer has no memory; nothing is read or written there.
  record.memory = a.gate_count == 1
                      ? record.previous
                      : check.contiguous<T>("memory", memory, {rows, wide}, Access::write).data;
  return record;
}

template <class T>
std::int64_t row_stride(const View<T>& v) {
  return v.shape[0] > 1 ? v.stride[0] : v.shape[1];
}

// The passes of a family. Kernels<T> is its table, found by the member pointers of Tables.
template <class Family>
class RecurrentFamily : public RecurrentArrays {
 public:
  RecurrentFamily(py::object input_weights, py::object recurrent_weights, py::object bias,
                  py::object extra, int activation)
      : RecurrentArrays(Family::kName, Family::template kernels<float>().gates,
                        Family::template kernels<float>().states, Family::kExtraRows,
                        std::move(input_weights), std::move(recurrent_weights), std::move(bias),
                        std::move(extra), activation) {}

  void forward(const SequenceLengths& lengths, py::handle x, py::handle y, py::handle initial_state,
               py::handle final_state, py::handle gates, py::handle memory,
               py::handle previous) const {
    static const std::string name = std::string(Family::kName) + ".forward";
    const Check check(name.c_str());
    enter(check);
    with_type([&](auto scalar) {
      using T = decltype(scalar);
      RecurrentForward<T> a = {};
      a.layer = layer<T>();
      a.sequences = lengths.get();
      const std::int64_t rows = a.sequences.rows, count = a.sequences.count;
      const View<const T> vx = check.rows<const T>("x", x, {rows, inputs});
      const View<T> vy = check.rows<T>("y", y, {rows, directions * units}, Access::write);
      check.disjoint("y", vy, "x", vx);
      a.x = vx.data;
      a.x_row_stride = row_stride(vx);
      a.y = vy.data;
      a.y_row_stride = row_stride(vy);
      a.initial_state = optional_array<T>(check, "initial_state", initial_state,
                                          {state_count, directions, count, units});
      a.final_state =
          writable<T>(check, "final_state", final_state, {state_count, directions, count, units});
      a.record = checked_record<T>(check, *this, rows, gates, memory, previous);
      const auto& kernels = Family::template kernels<T>();
      a.workspace = thread_workspace(kernels.forward_workspace(a));
      const ReleaseGil release(work(rows));
      kernels.forward(a);
    });
    check.finish();
  }

  void backward(const SequenceLengths& lengths, py::handle x, py::handle y,
                py::handle initial_state, py::handle gates, py::handle memory, py::handle previous,
                py::handle y_gradient, py::handle final_gradient, py::handle x_gradient,
                py::handle initial_gradient, const RecurrentFamily& gradients,
                bool accumulate) const {
    static const std::string name = std::string(Family::kName) + ".backward";
    const Check check(name.c_str());
    enter(check);
    require_same_shapes(check, "gradients", gradients);
    gradients.require_writeable(check, "gradients");
    with_type([&](auto scalar) {
      using T = decltype(scalar);
      RecurrentBackward<T> a = {};
      a.layer = layer<T>();
      a.sequences = lengths.get();
      const std::int64_t rows = a.sequences.rows, count = a.sequences.count;
      const View<const T> vx = check.rows<const T>("x", x, {rows, inputs});
      const View<const T> vy = check.rows<const T>("y", y, {rows, directions * units});
      a.x = vx.data;
      a.x_row_stride = row_stride(vx);
      a.y = vy.data;
      a.y_row_stride = row_stride(vy);
      a.initial_state = optional_array<T>(check, "initial_state", initial_state,
                                          {state_count, directions, count, units});
      if (Check::absent(gates)) check.value_error("gates", "must be those of a recorded pass");
      a.record = checked_record<T>(check, *this, rows, gates, memory, previous);
      if (!Check::absent(y_gradient)) {
        const View<const T> v =
            check.rows<const T>("y_gradient", y_gradient, {rows, directions * units});
        a.y_gradient = v.data;
        a.y_gradient_row_stride = row_stride(v);
      }
      a.final_gradient = optional_array<T>(check, "final_gradient", final_gradient,
                                           {state_count, directions, count, units});
      if (!Check::absent(x_gradient)) {
        const View<T> v = check.rows<T>("x_gradient", x_gradient, {rows, inputs}, Access::write);
        check.disjoint("x_gradient", v, "x", vx);
        a.x_gradient = v.data;
        a.x_gradient_row_stride = row_stride(v);
      }
      a.initial_gradient = writable<T>(check, "initial_gradient", initial_gradient,
                                       {state_count, directions, count, units});
      a.input_weights_gradient = gradients.template gradient<T>(0);
      a.recurrent_weights_gradient = gradients.template gradient<T>(1);
      a.bias_gradient = gradients.template gradient<T>(2);
      a.extra_gradient = gradients.template gradient<T>(3);
      a.accumulate = accumulate;
      const auto& kernels = Family::template kernels<T>();
      a.workspace = thread_workspace(kernels.backward_workspace(a));
      const ReleaseGil release(3 * work(rows));
      kernels.backward(a);
    });
    check.finish();
  }

  void tangent(const SequenceLengths& lengths, py::handle x, py::handle y, py::handle initial_state,
               py::handle gates, py::handle memory, py::handle previous, py::handle x_dot,
               const RecurrentFamily& direction, py::handle y_dot, py::handle final_dot) const {
    static const std::string name = std::string(Family::kName) + ".tangent";
    const Check check(name.c_str());
    enter(check);
    require_same_shapes(check, "direction", direction);
    with_type([&](auto scalar) {
      using T = decltype(scalar);
      RecurrentTangent<T> a = {};
      a.layer = layer<T>();
      a.sequences = lengths.get();
      const std::int64_t rows = a.sequences.rows, count = a.sequences.count;
      const View<const T> vx = check.rows<const T>("x", x, {rows, inputs});
      const View<const T> vy = check.rows<const T>("y", y, {rows, directions * units});
      a.x = vx.data;
      a.x_row_stride = row_stride(vx);
      a.y = vy.data;
      a.y_row_stride = row_stride(vy);
      a.initial_state = optional_array<T>(check, "initial_state", initial_state,
                                          {state_count, directions, count, units});
      if (Check::absent(gates)) check.value_error("gates", "must be those of a recorded pass");
      a.record = checked_record<T>(check, *this, rows, gates, memory, previous);
      if (!Check::absent(x_dot)) {
        const View<const T> v = check.rows<const T>("x_dot", x_dot, {rows, inputs});
        a.x_dot = v.data;
        a.x_dot_row_stride = row_stride(v);
      }
      a.direction = direction.template layer<T>().parameters;
      const View<T> v = check.rows<T>("y_dot", y_dot, {rows, directions * units}, Access::write);
      a.y_dot = v.data;
      a.y_dot_row_stride = row_stride(v);
      a.final_dot =
          writable<T>(check, "final_dot", final_dot, {state_count, directions, count, units});
      const auto& kernels = Family::template kernels<T>();
      a.workspace = thread_workspace(kernels.tangent_workspace(a));
      const ReleaseGil release(3 * work(rows));
      kernels.tangent(a);
    });
    check.finish();
  }

  template <class Body>
  void with_type(Body&& body) const {
    if (is_float()) {
      body(float{});
    } else {
      body(double{});
    }
  }

  double work(std::int64_t rows) const {
    return static_cast<double>(rows) * static_cast<double>(inputs + units) *
           static_cast<double>(gate_count * units * directions);
  }
};

// One sequence, a block of frames at a time, with kept state and weights packed once.
template <class Family>
class RecurrentStream {
 public:
  explicit RecurrentStream(py::object layer) : object_(std::move(layer)) {
    const auto& l = family();
    const Check check("stream");
    if (l.directions != 1) check.value_error("layer", "must have one direction to run in time");
    l.enter(check);
    state_.reserve(l.state_count * l.units * 8);
    reset();
    pack();
  }

  // The state back to zeros.
  void reset() {
    const auto& l = family();
    const Check check("reset");
    l.enter(check);
    Check::clear(state_.reserve(0), static_cast<std::size_t>(l.state_count * l.units * 8));
    check.finish();
  }

  void pack() {
    const auto& l = family();
    const Check check("pack");
    l.enter(check);
    l.with_type([&](auto scalar) {
      using T = decltype(scalar);
      const auto& kernels = Family::template kernels<T>();
      const RecurrentLayer<T> parameters = l.template layer<T>();
      kernels.pack(parameters, packed_.reserve(kernels.packed_bytes(parameters)));
      room_.reserve(kernels.step_workspace(parameters));
      level_ = level();
    });
    check.finish();
  }

  void step(py::handle x, py::handle y) {
    const auto& l = family();
    const Check check("step");
    l.enter(check);
    if (level_ != level()) pack();
    l.with_type([&](auto scalar) {
      using T = decltype(scalar);
      const View<const T> vx = check.rows<const T>("x", x, {kAny, l.inputs});
      const View<T> vy = check.rows<T>("y", y, {vx.shape[0], l.units}, Access::write);
      check.disjoint("y", vy, "x", vx);
      Family::template kernels<T>().step({l.template layer<T>(), packed_.reserve(0), vx.shape[0],
                                          vx.data, row_stride(vx), vy.data, row_stride(vy),
                                          static_cast<T*>(state_.reserve(0)), room_.reserve(0)});
    });
    check.finish();
  }

  // Copies of the state, (states, units), as NumPy's arrays.
  py::object get_state() {
    const auto& l = family();
    const Check check("state");
    l.enter(check);
    py::object result;
    l.with_type([&](auto scalar) {
      using T = decltype(scalar);
      py::array_t<T> copy({l.state_count, l.units});
      Check::copy_to_host(copy.mutable_data(), state_.reserve(0),
                          static_cast<std::size_t>(copy.nbytes()));
      result = std::move(copy);
    });
    check.finish();
    return result;
  }
  void set_state(py::handle state) {
    const auto& l = family();
    const Check check("stream");
    l.enter(check);
    l.with_type([&](auto scalar) {
      using T = decltype(scalar);
      const View<const T> v = check.contiguous<const T>("state", state, {l.state_count, l.units});
      Check::copy(state_.reserve(0), v.data, static_cast<std::size_t>(v.size()) * sizeof(T));
    });
    check.finish();
  }

 private:
  const RecurrentFamily<Family>& family() const {
    return object_.template cast<const RecurrentFamily<Family>&>();
  }
  py::object object_;
  Workspace packed_, room_, state_;
  Level level_ = Level::baseline;
};

template <class Family>
void register_recurrent_family(py::module_& module, const char* layer, const char* stream) {
  using Passes = RecurrentFamily<Family>;
  const py::object none = py::none();
  py::class_<Passes>(module, layer, "Parameters of a recurrent layer, and its passes.")
      .def(py::init<py::object, py::object, py::object, py::object, int>(),
           py::arg("input_weights"), py::arg("recurrent_weights"), py::arg("bias"),
           py::arg("extra") = none, py::arg("activation") = 2)
      .def_readonly("inputs", &Passes::inputs)
      .def_readonly("units", &Passes::units)
      .def_readonly("directions", &Passes::directions)
      .def("forward", &Passes::forward)
      .def("backward", &Passes::backward)
      .def("tangent", &Passes::tangent);
  using Stream = RecurrentStream<Family>;
  py::class_<Stream>(module, stream, "A layer fed frame by frame.")
      .def(py::init<py::object>(), py::arg("layer"))
      .def("step", &Stream::step)
      .def("reset", &Stream::reset)
      .def("pack", &Stream::pack, "Reads the layer's weights anew.")
      .def_property("state", &Stream::get_state, &Stream::set_state);
}

}  // namespace ictus::bindings
