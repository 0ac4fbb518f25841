// The layers of a chain and free energy, and the registration of the family.
#include "bindings/families.h"
#include "bindings/rbm_delta.h"
#include "bindings/rbm_divergence.h"
#include "bindings/rbm_model.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

template <class Model>
using ScalarOf = std::remove_const_t<std::remove_pointer_t<decltype(Model::weights)>>;

// What a call reads beside the states, and that nothing of it lies where the call writes.
template <class T>
class Inputs {
 public:
  Inputs(const Check& check, const Rbm& model) : check_(check), model_(model) {}

  const T* optional(const char* name, py::handle array, std::initializer_list<std::int64_t> shape) {
    return Check::absent(array) ? nullptr
                                : add(name, check_.contiguous<const T>(name, array, shape)).data;
  }
  View<const T> rows(const char* name, py::handle array, std::int64_t columns) {
    return add(name, check_.rows<const T>(name, array, {kAny, columns}));
  }
  View<T> output(const char* name, py::handle array,
                 std::initializer_list<std::int64_t> shape) const {
    const View<T> v = check_.contiguous<T>(name, array, shape, Access::write);
    for (int i = 0; i < count_; ++i) check_.disjoint(name, v, names_[i], views_[i]);
    model_.held.disjoint(check_, name, v);
    return v;
  }

 private:
  const View<const T>& add(const char* name, const View<const T>& v) {
    names_[count_] = name;
    return views_[count_++] = v;
  }
  const Check& check_;
  const Rbm& model_;
  const char* names_[4] = {};
  View<const T> views_[4];
  int count_ = 0;
};

void layer(bool hidden, const Rbm& model, py::handle given, py::handle row_bias,
           py::handle inverse_temperature, py::handle mean, py::handle sample, py::handle uniforms,
           std::uint64_t seed, std::uint64_t stream, std::int64_t first_row) {
  const Check check(hidden ? "hidden_layer" : "visible_layer");
  with_model(model, check, [&](const auto& m) {
    using T = ScalarOf<std::remove_reference_t<decltype(m)>>;
    const std::int64_t units = hidden ? m.hidden : m.visible;
    const Units kind = hidden ? m.hidden_units : m.visible_units;
    Inputs<T> inputs(check, model);
    const char* const given_name = hidden ? "visible" : "hidden";
    const View<const T> states = inputs.rows(given_name, given, hidden ? m.visible : m.hidden);
    const std::int64_t rows = states.shape[0];
    LayerArguments<T> a = {};
    a.model = m;
    a.rows = rows;
    a.given = states.data;
    a.given_row_stride = rows > 1 ? states.stride[0] : states.shape[1];
    a.row_bias = inputs.optional("row_bias", row_bias, {rows, units});
    a.inverse_temperature = inputs.optional("inverse_temperature", inverse_temperature, {rows});
    if (a.inverse_temperature != nullptr && (kind == Units::gaussian || kind == Units::rectified)) {
      check.value_error("inverse_temperature",
                        "must be None unless the units are bernoulli, softmax or labelled");
    }
    a.uniforms = inputs.optional("uniforms", uniforms, {rows, units});
    if (a.uniforms != nullptr && (kind != Units::bernoulli || Check::absent(sample))) {
      check.value_error("uniforms", "must be None but for samples of bernoulli units");
    }
    if (Check::absent(mean) && Check::absent(sample)) {
      check.value_error("mean", "and sample must not both be None");
    }
    if (!Check::absent(mean)) a.mean = inputs.output("mean", mean, {rows, units}).data;
    if (!Check::absent(sample)) {
      const View<T> v = inputs.output("sample", sample, {rows, units});
      if (a.mean != nullptr) {
        check.disjoint("sample", v, "mean", inputs.output("mean", mean, {rows, units}));
      }
      a.sample = v.data;
    }
    check.require(first_row >= 0, "first_row", "at least 0", static_cast<double>(first_row));
    a.seed = seed;
    a.stream = stream;
    a.first_row = first_row;
    if (rows == 0) return;
    const auto& kernels = *tables<T>().rbm;
    a.workspace = thread_workspace(kernels.layer_workspace(rows, m.visible, m.hidden));
    const ReleaseGil release(static_cast<double>(rows) * static_cast<double>(m.visible) *
                             static_cast<double>(m.hidden));
    (hidden ? kernels.hidden_layer : kernels.visible_layer)(a);
  });
}

void free_energy(const Rbm& model, py::handle visible, py::handle inverse_temperature,
                 py::handle out) {
  const Check check("free_energy");
  with_model(model, check, [&](const auto& m) {
    using T = ScalarOf<std::remove_reference_t<decltype(m)>>;
    if (m.hidden_units == Units::rectified) {
      check.value_error("model", "must have bernoulli or gaussian hidden units, got rectified");
    }
    Inputs<T> inputs(check, model);
    const View<const T> v = inputs.rows("visible", visible, m.visible);
    const std::int64_t rows = v.shape[0];
    FreeEnergyArguments<T> a = {};
    a.model = m;
    a.rows = rows;
    a.visible = v.data;
    a.visible_row_stride = rows > 1 ? v.stride[0] : v.shape[1];
    a.inverse_temperature = inputs.optional("inverse_temperature", inverse_temperature, {rows});
    a.out = inputs.output("out", out, {rows}).data;
    if (rows == 0) return;
    const auto& kernels = *tables<T>().rbm;
    a.workspace = thread_workspace(kernels.free_energy_workspace(rows, m.visible, m.hidden));
    const ReleaseGil release(static_cast<double>(rows) * static_cast<double>(m.visible) *
                             static_cast<double>(m.hidden));
    kernels.free_energy(a);
  });
}

void label_energies(const Rbm& model, py::handle visible, py::handle out) {
  const Check check("label_energies");
  with_model(model, check, [&](const auto& m) {
    using T = ScalarOf<std::remove_reference_t<decltype(m)>>;
    if (m.visible_units != Units::labelled || m.hidden_units == Units::rectified) {
      check.value_error("model",
                        "must have labelled visible and bernoulli or gaussian hidden units");
    }
    Inputs<T> inputs(check, model);
    const View<const T> v = inputs.rows("visible", visible, m.visible - m.group);
    const std::int64_t rows = v.shape[0];
    LabelEnergyArguments<T> a = {};
    a.model = m;
    a.rows = rows;
    a.visible = v.data;
    a.visible_row_stride = rows > 1 ? v.stride[0] : v.shape[1];
    a.out = inputs.output("out", out, {rows, m.group}).data;
    if (rows == 0) return;
    const auto& kernels = *tables<T>().rbm;
    a.workspace = thread_workspace(kernels.free_energy_workspace(rows, m.visible, m.hidden));
    const ReleaseGil release(static_cast<double>(rows) * static_cast<double>(m.visible) *
                             static_cast<double>(m.hidden));
    kernels.label_energies(a);
  });
}

}  // namespace

void register_rbm(py::module_& module) {
  // Local to the module: _core and _cuda have each its own.
  py::class_<Rbm>(module, "RbmModel", "Parameters of a restricted Boltzmann machine.",
                  py::module_local())
      .def(py::init<py::object, py::object, py::object, py::object, int, int, std::int64_t>(),
           py::arg("weights"), py::arg("visible_bias"), py::arg("hidden_bias"), py::arg("variance"),
           py::arg("visible_units"), py::arg("hidden_units"), py::arg("group"))
      .def_property_readonly("shape", &Rbm::shape);
  module.def(
      "hidden_layer", [](const Rbm& model, py::handle given, py::handle row_bias, py::handle beta,
                         py::handle mean, py::handle sample, py::handle uniforms,
                         std::uint64_t seed, std::uint64_t stream, std::int64_t first_row) {
        layer(true, model, given, row_bias, beta, mean, sample, uniforms, seed, stream, first_row);
      });
  module.def(
      "visible_layer", [](const Rbm& model, py::handle given, py::handle row_bias, py::handle beta,
                          py::handle mean, py::handle sample, py::handle uniforms,
                          std::uint64_t seed, std::uint64_t stream, std::int64_t first_row) {
        layer(false, model, given, row_bias, beta, mean, sample, uniforms, seed, stream, first_row);
      });
  module.def("free_energy", &free_energy);
  module.def("label_energies", &label_energies);
  const py::object none = py::none();
  py::class_<Divergence>(module, "ContrastiveDivergence", "Updates of a model, and their state.",
                         py::module_local())
      .def(py::init<const Rbm&, py::object, py::object, py::object, py::object, py::object,
                    py::object, py::object, py::object, py::object, py::object, py::object,
                    py::object>(),
           py::arg("model"), py::arg("weights_velocity"), py::arg("visible_velocity"),
           py::arg("hidden_velocity"), py::kw_only(), py::arg("particles") = none,
           py::arg("fast_weights") = none, py::arg("visible_context") = none,
           py::arg("hidden_context") = none, py::arg("visible_context_velocity") = none,
           py::arg("hidden_context_velocity") = none, py::arg("log_variance") = none,
           py::arg("log_variance_velocity") = none, py::arg("activity") = none)
      .def("update", &Divergence::update, py::arg("data"), py::kw_only(), py::arg("context") = none,
           py::arg("steps") = 1, py::arg("weight_rate") = 0.1, py::arg("bias_rate") = 0.1,
           py::arg("momentum") = 0.0, py::arg("l1") = 0.0, py::arg("l2") = 0.0,
           py::arg("negative_scale") = 0.0, py::arg("visible_uniforms") = none,
           py::arg("hidden_uniforms") = none, py::arg("fast_rate") = 0.0,
           py::arg("fast_decay") = 0.95, py::arg("variance_rate") = 0.0,
           py::arg("lowest_log_variance") = -7.0, py::arg("highest_log_variance") = 7.0,
           py::arg("sparsity_target") = 0.0, py::arg("sparsity_cost") = 0.0,
           py::arg("sparsity_decay") = 0.9, py::arg("chain_visible") = none, py::arg("seed") = 0,
           py::arg("stream") = 0);
  py::class_<DeltaRule>(module, "DeltaRule", "Updates of one layer of a directed net.",
                        py::module_local())
      .def(py::init<const Rbm&, bool, py::object, py::object>(), py::arg("model"),
           py::arg("hidden"), py::arg("weights_velocity"), py::arg("bias_velocity"))
      .def("update", &DeltaRule::update, py::arg("given"), py::arg("target"), py::kw_only(),
           py::arg("weight_rate") = 0.1, py::arg("bias_rate") = 0.1, py::arg("momentum") = 0.0,
           py::arg("l1") = 0.0, py::arg("l2") = 0.0);
}

}  // namespace ictus::bindings
