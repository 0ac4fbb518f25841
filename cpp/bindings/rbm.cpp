// RbmModel (parameters, checked once), the layers of a chain, free energy, ContrastiveDivergence.
#include <atomic>
#include <vector>

#include "bindings/arguments.h"
#include "bindings/families.h"
#include "bindings/model.h"
#include "core/tables.h"
#include "ictus/rbm.h"

namespace ictus::bindings {
namespace {

class Model {
 public:
  Model(py::object weights, py::object visible_bias, py::object hidden_bias, py::object variance,
        int visible_units, int hidden_units, std::int64_t group)
      : arrays{weights, visible_bias, hidden_bias, variance} {
    const Check check("RbmModel");
    is_float = check.is_float("weights", weights);
    check.require(visible_units >= 0 && visible_units <= 2, "visible_units", "in 0 .. 2",
                  visible_units);
    check.require(hidden_units == 0 || hidden_units == 1 || hidden_units == 3, "hidden_units",
                  "0, 1 or 3", hidden_units);
    with_scalar(check, "weights", weights, [&](auto scalar) {
      using T = decltype(scalar);
      RbmModel<T>& m = models.get<T>();
      const View<const T> w = check.contiguous<const T>("weights", weights, {kAny, kAny});
      m.visible = w.shape[0];
      m.hidden = w.shape[1];
      if (w.size() == 0)
        check.value_error("weights", "must not be empty, got shape " + shape_text(w.shape, 2));
      m.visible_units = static_cast<Units>(visible_units);
      m.hidden_units = static_cast<Units>(hidden_units);
      const bool softmax = m.visible_units == Units::softmax;
      check.require(softmax ? group >= 1 && m.visible % group == 0 : group == 1, "group",
                    softmax ? "a divisor of the visible units" : "1 where there are no groups",
                    static_cast<double>(group));
      m.group = group;
      m.weights = w.data;
      m.visible_bias = check.contiguous<const T>("visible_bias", visible_bias, {m.visible}).data;
      m.hidden_bias = check.contiguous<const T>("hidden_bias", hidden_bias, {m.hidden}).data;
      if (!Check::absent(variance)) {
        if (m.visible_units != Units::gaussian) {
          check.value_error("variance", "must be None unless the visible units are gaussian");
        }
        m.variance = check.contiguous<const T>("variance", variance, {m.visible}).data;
      }
    });
  }
  py::tuple shape() const {
    return is_float ? py::make_tuple(models.of_float.visible, models.of_float.hidden)
                    : py::make_tuple(models.of_double.visible, models.of_double.hidden);
  }

  OfScalar<RbmModel> models;
  bool is_float;
  std::vector<py::object> arrays;
};

template <class Body>
void with_model(const Model& model, Body&& body) {
  if (model.is_float) {
    body(model.models.of_float);
  } else {
    body(model.models.of_double);
  }
}

void layer(bool hidden, const Model& model, py::handle given, py::handle row_bias,
           py::handle inverse_temperature, py::handle mean, py::handle sample, py::handle uniforms,
           std::uint64_t seed, std::uint64_t stream, std::int64_t first_row) {
  const Check check(hidden ? "hidden_layer" : "visible_layer");
  const char* const given_name = hidden ? "visible" : "hidden";
  with_model(model, [&](const auto& m) {
    using T = std::remove_const_t<std::remove_pointer_t<decltype(m.weights)>>;
    const std::int64_t units = hidden ? m.hidden : m.visible;
    const Units kind = hidden ? m.hidden_units : m.visible_units;
    const View<const T> vg =
        check.rows<const T>(given_name, given, {kAny, hidden ? m.visible : m.hidden});
    const std::int64_t rows = vg.shape[0];
    LayerArguments<T> a = {};
    a.model = m;
    a.rows = rows;
    a.given = vg.data;
    a.given_row_stride = rows > 1 ? vg.stride[0] : vg.shape[1];
    a.row_bias = optional_array<T>(check, "row_bias", row_bias, {rows, units});
    a.inverse_temperature =
        optional_array<T>(check, "inverse_temperature", inverse_temperature, {rows});
    if (a.inverse_temperature != nullptr && kind != Units::bernoulli && kind != Units::softmax) {
      check.value_error("inverse_temperature", "must be None for these units");
    }
    if (Check::absent(mean) && Check::absent(sample)) {
      check.value_error("mean", "and sample must not both be None");
    }
    View<T> vm, vs;
    if (!Check::absent(mean)) {
      vm = check.contiguous<T>("mean", mean, {rows, units}, Access::write);
      check.disjoint("mean", vm, given_name, vg);
      a.mean = vm.data;
    }
    if (!Check::absent(sample)) {
      vs = check.contiguous<T>("sample", sample, {rows, units}, Access::write);
      check.disjoint("sample", vs, given_name, vg);
      if (a.mean != nullptr) check.disjoint("sample", vs, "mean", vm);
      a.sample = vs.data;
    }
    a.uniforms = optional_array<T>(check, "uniforms", uniforms, {rows, units});
    if (a.uniforms != nullptr && (kind != Units::bernoulli || a.sample == nullptr)) {
      check.value_error("uniforms", "are for samples of Bernoulli units, got other units or none");
    }
    check.require(first_row >= 0, "first_row", "not negative", static_cast<double>(first_row));
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

void free_energy(const Model& model, py::handle visible, py::handle inverse_temperature,
                 py::handle out) {
  const Check check("free_energy");
  with_model(model, [&](const auto& m) {
    using T = std::remove_const_t<std::remove_pointer_t<decltype(m.weights)>>;
    if (m.hidden_units == Units::rectified) {
      check.value_error("model", "must have bernoulli or gaussian hidden units, got rectified");
    }
    const View<const T> v = check.rows<const T>("visible", visible, {kAny, m.visible});
    const std::int64_t rows = v.shape[0];
    const View<T> vo = check.contiguous<T>("out", out, {rows}, Access::write);
    check.disjoint("out", vo, "visible", v);
    FreeEnergyArguments<T> a = {};
    a.model = m;
    a.rows = rows;
    a.visible = v.data;
    a.visible_row_stride = rows > 1 ? v.stride[0] : v.shape[1];
    a.inverse_temperature =
        optional_array<T>(check, "inverse_temperature", inverse_temperature, {rows});
    a.out = vo.data;
    if (rows == 0) return;
    const auto& kernels = *tables<T>().rbm;
    a.workspace = thread_workspace(kernels.free_energy_workspace(rows, m.visible, m.hidden));
    const ReleaseGil release(static_cast<double>(rows) * static_cast<double>(m.visible) *
                             static_cast<double>(m.hidden));
    kernels.free_energy(a);
  });
}

// The training state of a model, checked once, and its updates.
class Divergence {
 public:
  Divergence(const Model& model, py::object weights_velocity, py::object visible_velocity,
             py::object hidden_velocity, py::object particles, py::object fast_weights,
             py::object visible_context, py::object hidden_context,
             py::object visible_context_velocity, py::object hidden_context_velocity,
             py::object log_variance, py::object log_variance_velocity, py::object activity)
      : arrays_(model.arrays), is_float_(model.is_float) {
    const Check check("ContrastiveDivergence");
    for (const py::object& each :
         {weights_velocity, visible_velocity, hidden_velocity, particles, fast_weights,
          visible_context, hidden_context, visible_context_velocity, hidden_context_velocity,
          log_variance, log_variance_velocity, activity}) {
      arrays_.push_back(each);
    }
    with_model(model, [&](const auto& m) {
      using T = std::remove_const_t<std::remove_pointer_t<decltype(m.weights)>>;
      DivergenceArguments<T>& a = arguments_.get<T>();
      a.model = m;
      const std::int64_t v = m.visible, h = m.hidden;
      a.weights = writable<T>(check, "weights", arrays_[0], {v, h});
      a.visible_bias = writable<T>(check, "visible_bias", arrays_[1], {v});
      a.hidden_bias = writable<T>(check, "hidden_bias", arrays_[2], {h});
      a.weights_velocity = required<T>(check, "weights_velocity", weights_velocity, {v, h});
      a.visible_velocity = required<T>(check, "visible_velocity", visible_velocity, {v});
      a.hidden_velocity = required<T>(check, "hidden_velocity", hidden_velocity, {h});
      a.particles = writable<T>(check, "particles", particles, {kAny, h});
      a.particle_rows = a.particles == nullptr ? 0 : py::len(particles);
      check.require(a.particles == nullptr || a.particle_rows > 0, "particles", "at least one row",
                    0);
      a.fast_weights = writable<T>(check, "fast_weights", fast_weights, {v, h});
      a.visible_context = writable<T>(check, "visible_context", visible_context, {kAny, v});
      if (a.visible_context != nullptr) {
        const auto c = static_cast<std::int64_t>(py::len(visible_context));
        if (a.particles != nullptr) check.value_error("particles", "must be None with a context");
        a.context_size = c;
        a.hidden_context = required<T>(check, "hidden_context", hidden_context, {c, h});
        a.visible_context_velocity =
            required<T>(check, "visible_context_velocity", visible_context_velocity, {c, v});
        a.hidden_context_velocity =
            required<T>(check, "hidden_context_velocity", hidden_context_velocity, {c, h});
      }
      a.log_variance = writable<T>(check, "log_variance", log_variance, {v});
      if (a.log_variance != nullptr) {
        a.log_variance_velocity =
            required<T>(check, "log_variance_velocity", log_variance_velocity, {v});
        a.variance = required<T>(check, "variance", arrays_[3], {v});
      }
      a.activity = writable<T>(check, "activity", activity, {h});
    });
  }

  void update(py::handle data, py::handle context, std::int64_t steps, double weight_rate,
              double bias_rate, double momentum, double l1, double l2, double negative_scale,
              py::handle visible_uniforms, py::handle hidden_uniforms, double fast_rate,
              double fast_decay, double variance_rate, double lowest_log_variance,
              double highest_log_variance, double sparsity_target, double sparsity_cost,
              double sparsity_decay, std::uint64_t seed, std::uint64_t stream) {
    const Check check("update");
    const auto run = [&](auto scalar) {
      using T = decltype(scalar);
      DivergenceArguments<T> a = arguments_.get<T>();
      const View<const T> v = check.rows<const T>("data", data, {kAny, a.model.visible});
      a.rows = v.shape[0];
      a.data = v.data;
      a.data_row_stride = a.rows > 1 ? v.stride[0] : v.shape[1];
      check.require(steps >= 1, "steps", "positive", static_cast<double>(steps));
      a.steps = steps;
      a.rule = {static_cast<T>(weight_rate), static_cast<T>(bias_rate), static_cast<T>(momentum),
                static_cast<T>(l1), static_cast<T>(l2)};
      a.negative_scale = static_cast<T>(negative_scale);
      if (Check::absent(context) != (a.visible_context == nullptr)) {
        check.value_error("context", "must be given where the model has one, and only there");
      }
      if (!Check::absent(context)) {
        const View<const T> c = check.rows<const T>("context", context, {a.rows, a.context_size});
        a.context = c.data;
        a.context_row_stride = a.rows > 1 ? c.stride[0] : c.shape[1];
      }
      const std::int64_t chains = a.particles == nullptr ? a.rows : a.particle_rows;
      a.visible_uniforms =
          optional_array<T>(check, "visible_uniforms", visible_uniforms, {chains, a.model.visible});
      a.hidden_uniforms =
          optional_array<T>(check, "hidden_uniforms", hidden_uniforms, {chains, a.model.hidden});
      const bool uniforms = a.visible_uniforms != nullptr || a.hidden_uniforms != nullptr;
      const bool bernoulli =
          a.model.visible_units == Units::bernoulli && a.model.hidden_units == Units::bernoulli;
      if (uniforms && (steps != 1 || a.particles == nullptr || !bernoulli)) {
        check.value_error("visible_uniforms",
                          "are for one step of persistent chains of Bernoulli units");
      }
      a.fast_rate = static_cast<T>(fast_rate);
      a.fast_decay = static_cast<T>(fast_decay);
      a.variance_rate = static_cast<T>(variance_rate);
      a.lowest_log_variance = static_cast<T>(lowest_log_variance);
      a.highest_log_variance = static_cast<T>(highest_log_variance);
      a.sparsity_target = static_cast<T>(sparsity_target);
      a.sparsity_cost = static_cast<T>(sparsity_cost);
      a.sparsity_decay = static_cast<T>(sparsity_decay);
      check.require(sparsity_cost == 0 || a.activity != nullptr, "sparsity_cost",
                    "0 without an array of activity", sparsity_cost);
      a.seed = seed;
      a.stream = stream;
      if (a.rows == 0) return;
      const auto& kernels = *tables<T>().rbm;
      a.workspace = workspace_.reserve(kernels.divergence_workspace(a));
      const ReleaseGil release(static_cast<double>(a.rows) * static_cast<double>(v.shape[1]) *
                               static_cast<double>(a.model.hidden));
      kernels.contrastive_divergence(a);
    };
    if (busy_.exchange(true)) {
      throw std::runtime_error("update: another thread is updating this model");
    }
    try {
      is_float_ ? run(float{}) : run(double{});
    } catch (...) {
      busy_ = false;
      throw;
    }
    busy_ = false;
  }

 private:
  OfScalar<DivergenceArguments> arguments_;
  std::vector<py::object> arrays_;
  bool is_float_;
  Workspace workspace_;
  std::atomic<bool> busy_{false};
};

}  // namespace

void register_rbm(py::module_& module) {
  py::class_<Model>(module, "RbmModel", "Parameters of a restricted Boltzmann machine.")
      .def(py::init<py::object, py::object, py::object, py::object, int, int, std::int64_t>(),
           py::arg("weights"), py::arg("visible_bias"), py::arg("hidden_bias"), py::arg("variance"),
           py::arg("visible_units"), py::arg("hidden_units"), py::arg("group"))
      .def_property_readonly("shape", &Model::shape);
  module.def(
      "hidden_layer", [](const Model& model, py::handle given, py::handle row_bias, py::handle beta,
                         py::handle mean, py::handle sample, py::handle uniforms,
                         std::uint64_t seed, std::uint64_t stream, std::int64_t first_row) {
        layer(true, model, given, row_bias, beta, mean, sample, uniforms, seed, stream, first_row);
      });
  module.def(
      "visible_layer", [](const Model& model, py::handle given, py::handle row_bias,
                          py::handle beta, py::handle mean, py::handle sample, py::handle uniforms,
                          std::uint64_t seed, std::uint64_t stream, std::int64_t first_row) {
        layer(false, model, given, row_bias, beta, mean, sample, uniforms, seed, stream, first_row);
      });
  module.def("free_energy", &free_energy);
  const py::object none = py::none();
  py::class_<Divergence>(module, "ContrastiveDivergence", "Updates of a model, and their state.")
      .def(py::init<const Model&, py::object, py::object, py::object, py::object, py::object,
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
           py::arg("sparsity_decay") = 0.9, py::arg("seed") = 0, py::arg("stream") = 0);
}

}  // namespace ictus::bindings
