// MeanCovarianceModel (parameters, checked once), passes over states, chains, and
// MeanCovarianceDivergence.
#include <pybind11/stl.h>

#include <array>
#include <atomic>
#include <vector>

#include "bindings/arguments.h"
#include "bindings/families.h"
#include "bindings/model.h"
#include "core/tables.h"
#include "ictus/mean_covariance.h"

namespace ictus::bindings {
namespace {

// The parameters in the order of all interfaces, and arrays of their shapes.
using ParameterArrays = std::array<py::object, 6>;
constexpr std::array<const char*, 6> kNames = {"filters",      "pooling",         "weights",
                                               "visible_bias", "covariance_bias", "mean_bias"};

class Model {
 public:
  Model(py::object filters, py::object pooling, py::object weights, py::object visible_bias,
        py::object covariance_bias, py::object mean_bias, double offset)
      : arrays{filters, pooling, weights, visible_bias, covariance_bias, mean_bias} {
    const Check check("MeanCovarianceModel");
    is_float = check.is_float("filters", filters);
    with_scalar(check, "filters", filters, [&](auto scalar) {
      using T = decltype(scalar);
      MeanCovarianceModel<T>& m = models.get<T>();
      const View<const T> c = check.contiguous<const T>("filters", filters, {kAny, kAny});
      m.visible = c.shape[0];
      m.factors = c.shape[1];
      if (c.size() == 0) {
        check.value_error("filters", "must not be empty, got shape " + shape_text(c.shape, 2));
      }
      m.filters = c.data;
      m.covariance = m.factors;
      if (!Check::absent(pooling)) {
        const View<const T> p = check.contiguous<const T>("pooling", pooling, {m.factors, kAny});
        m.covariance = p.shape[1];
        if (p.size() == 0) {
          check.value_error("pooling", "must not be empty, got shape " + shape_text(p.shape, 2));
        }
        m.pooling = p.data;
      }
      const View<const T> w = check.contiguous<const T>("weights", weights, {m.visible, kAny});
      m.mean = w.shape[1];
      m.weights = w.data;
      m.visible_bias = check.contiguous<const T>("visible_bias", visible_bias, {m.visible}).data;
      m.covariance_bias =
          check.contiguous<const T>("covariance_bias", covariance_bias, {m.covariance}).data;
      m.mean_bias = check.contiguous<const T>("mean_bias", mean_bias, {m.mean}).data;
      check.require(offset > 0 && offset < 1e30, "offset", "positive", offset);
      m.offset = static_cast<T>(offset);
    });
  }
  py::tuple shape() const {
    const auto of = [](const auto& m) {
      return py::make_tuple(m.visible, m.factors, m.covariance, m.mean);
    };
    return is_float ? of(models.of_float) : of(models.of_double);
  }

  bool pooled() const { return !Check::absent(arrays[1]); }

  OfScalar<MeanCovarianceModel> models;
  bool is_float;
  ParameterArrays arrays;
};

template <class Body>
void with_model(const Model& model, const Check& check, Body&& body) {
  if (model.is_float) {
    body(model.models.of_float, float{});
  } else {
    body(model.models.of_double, double{});
  }
  check.finish();
}

// Multiply-adds of one evaluation of the force.
template <class T>
double products(const MeanCovarianceModel<T>& m, std::int64_t rows) {
  const auto f = static_cast<double>(m.factors), k = static_cast<double>(m.covariance);
  const double pooling = m.pooling == nullptr ? 0 : f * k;
  return 2 * static_cast<double>(rows) *
         (static_cast<double>(m.visible) * (f + static_cast<double>(m.mean)) + pooling);
}

// Writeable arrays of the parameters' shapes, given as a sequence in the order of kNames.
template <class T>
MeanCovarianceArrays<T> parameter_arrays(const Check& check, const std::string& prefix,
                                         const ParameterArrays& arrays,
                                         const MeanCovarianceModel<T>& m) {
  const auto array = [&](int i, std::initializer_list<std::int64_t> shape) {
    const std::string name = prefix + kNames[static_cast<std::size_t>(i)];
    return required<T>(check, name.c_str(), arrays[static_cast<std::size_t>(i)], shape);
  };
  MeanCovarianceArrays<T> a = {};
  a.filters = array(0, {m.visible, m.factors});
  if (m.pooling != nullptr) {
    a.pooling = array(1, {m.factors, m.covariance});
  } else if (!Check::absent(arrays[1])) {
    check.value_error((prefix + "pooling").c_str(), "must be None where the model has no pooling");
  }
  a.weights = array(2, {m.visible, m.mean});
  a.visible_bias = array(3, {m.visible});
  a.covariance_bias = array(4, {m.covariance});
  a.mean_bias = array(5, {m.mean});
  return a;
}

void evaluate(const Model& model, py::handle visible, py::handle covariance_mean,
              py::handle mean_mean, py::handle free_energy, py::handle gradient) {
  const Check check("mean_covariance_evaluate");
  with_model(model, check, [&](const auto& m, auto scalar) {
    using T = decltype(scalar);
    const View<const T> v = check.rows<const T>("visible", visible, {kAny, m.visible});
    const std::int64_t rows = v.shape[0];
    EvaluationArguments<T> a = {};
    a.model = m;
    a.rows = rows;
    a.visible = v.data;
    a.visible_row_stride = rows > 1 ? v.stride[0] : v.shape[1];
    const auto output = [&](const char* name, py::handle object,
                            std::initializer_list<std::int64_t> shape) -> T* {
      if (Check::absent(object)) return nullptr;
      const View<T> view = check.contiguous<T>(name, object, shape, Access::write);
      check.disjoint(name, view, "visible", v);
      return view.data;
    };
    a.covariance_mean = output("covariance_mean", covariance_mean, {rows, m.covariance});
    a.mean_mean = output("mean_mean", mean_mean, {rows, m.mean});
    a.free_energy = output("free_energy", free_energy, {rows});
    a.gradient = output("gradient", gradient, {rows, m.visible});
    if (rows == 0) return;
    const auto& kernels = *tables<T>().mean_covariance;
    a.workspace = thread_workspace(kernels.pass_workspace(m, rows));
    const ReleaseGil release(products(m, rows));
    kernels.evaluate(a);
  });
}

void parameter_gradient(const Model& model, py::handle visible, const ParameterArrays& gradient) {
  const Check check("mean_covariance_parameter_gradient");
  with_model(model, check, [&](const auto& m, auto scalar) {
    using T = decltype(scalar);
    const View<const T> v = check.rows<const T>("visible", visible, {kAny, m.visible});
    ParameterGradientArguments<T> a = {};
    a.model = m;
    a.rows = v.shape[0];
    check.require(a.rows > 0, "visible", "of at least one row", 0);
    a.visible = v.data;
    a.visible_row_stride = a.rows > 1 ? v.stride[0] : v.shape[1];
    a.gradient = parameter_arrays<T>(check, "gradient of ", gradient, m);
    const auto& kernels = *tables<T>().mean_covariance;
    a.workspace = thread_workspace(kernels.gradient_workspace(m, a.rows));
    const ReleaseGil release(2 * products(m, a.rows));
    kernels.parameter_gradient(a);
  });
}

void check_dynamics(const Check& check, std::int64_t steps, double step_size) {
  check.require(steps >= 1, "leapfrog_steps", "positive", static_cast<double>(steps));
  check.require(step_size > 0 && step_size < 1e30, "step_size", "positive", step_size);
}

void leapfrog(const Model& model, py::handle visible, py::handle momentum, std::int64_t steps,
              double step_size, py::handle energy_before, py::handle energy_after) {
  const Check check("leapfrog");
  with_model(model, check, [&](const auto& m, auto scalar) {
    using T = decltype(scalar);
    const View<T> v = check.contiguous<T>("visible", visible, {kAny, m.visible}, Access::write);
    const std::int64_t rows = v.shape[0];
    const View<T> p = check.contiguous<T>("momentum", momentum, {rows, m.visible}, Access::write);
    check.disjoint("momentum", p, "visible", v);
    check_dynamics(check, steps, step_size);
    LeapfrogArguments<T> a = {};
    a.model = m;
    a.rows = rows;
    a.visible = v.data;
    a.momentum = p.data;
    a.steps = steps;
    a.step_size = static_cast<T>(step_size);
    a.energy_before = writable<T>(check, "energy_before", energy_before, {rows});
    a.energy_after = writable<T>(check, "energy_after", energy_after, {rows});
    if (rows == 0) return;
    const auto& kernels = *tables<T>().mean_covariance;
    a.workspace = thread_workspace(kernels.pass_workspace(m, rows));
    const ReleaseGil release(products(m, rows) * static_cast<double>(steps));
    kernels.leapfrog(a);
  });
}

void hybrid_monte_carlo(const Model& model, py::handle visible, std::int64_t trajectories,
                        std::int64_t steps, double step_size, std::uint64_t seed,
                        std::uint64_t stream, std::int64_t first_row, py::handle acceptance,
                        py::handle free_energy) {
  const Check check("hybrid_monte_carlo");
  with_model(model, check, [&](const auto& m, auto scalar) {
    using T = decltype(scalar);
    const View<T> v = check.contiguous<T>("visible", visible, {kAny, m.visible}, Access::write);
    const std::int64_t rows = v.shape[0];
    check_dynamics(check, steps, step_size);
    check.require(trajectories >= 1, "trajectories", "positive", static_cast<double>(trajectories));
    check.require(first_row >= 0, "first_row", "not negative", static_cast<double>(first_row));
    HybridMonteCarloArguments<T> a = {};
    a.model = m;
    a.rows = rows;
    a.visible = v.data;
    a.trajectories = trajectories;
    a.steps = steps;
    a.step_size = static_cast<T>(step_size);
    a.seed = seed;
    a.stream = stream;
    a.first_row = first_row;
    a.acceptance = writable<T>(check, "acceptance", acceptance, {rows});
    a.free_energy = writable<T>(check, "free_energy", free_energy, {rows});
    if (rows == 0) return;
    const auto& kernels = *tables<T>().mean_covariance;
    a.workspace = thread_workspace(kernels.pass_workspace(m, rows));
    const ReleaseGil release(products(m, rows) * static_cast<double>(steps * trajectories));
    kernels.hybrid_monte_carlo(a);
  });
}

// The training state of a model, checked once, and its updates.
class Divergence {
 public:
  Divergence(const Model& model, const ParameterArrays& velocity, py::object particles,
             py::object filter_length, py::object pooling_mask)
      : parameters_(model.arrays),
        velocity_(velocity),
        others_{particles, filter_length, pooling_mask},
        is_float_(model.is_float) {
    const Check check("MeanCovarianceDivergence");
    with_model(model, check, [&](const auto& m, auto scalar) {
      using T = decltype(scalar);
      MeanCovarianceUpdate<T>& a = arguments_.get<T>();
      a.model = m;
      a.parameters = parameter_arrays<T>(check, "", parameters_, m);
      a.velocity = parameter_arrays<T>(check, "velocity of ", velocity_, m);
      a.particles = writable<T>(check, "particles", particles, {kAny, m.visible});
      a.particle_rows = a.particles == nullptr ? 0 : static_cast<std::int64_t>(py::len(particles));
      check.require(a.particles == nullptr || a.particle_rows > 0, "particles",
                    "of at least one row", 0);
      a.filter_length = writable<T>(check, "filter_length", filter_length, {1});
      a.pooling_mask =
          optional_array<T>(check, "pooling_mask", pooling_mask, {m.factors, m.covariance});
      if (a.pooling_mask != nullptr && m.pooling == nullptr) {
        check.value_error("pooling_mask", "must be None where the model has no pooling");
      }
    });
  }

  void update(py::handle data, std::int64_t trajectories, std::int64_t steps, double step_size,
              std::array<double, 6> rates, double momentum, double l1, double l2,
              double length_decay, std::uint64_t seed, std::uint64_t stream, py::handle acceptance,
              py::handle data_energy, py::handle chain_energy) {
    const Check check("update");
    const auto run = [&](auto scalar) {
      using T = decltype(scalar);
      MeanCovarianceUpdate<T> a = arguments_.get<T>();
      const View<const T> v = check.rows<const T>("data", data, {kAny, a.model.visible});
      a.rows = v.shape[0];
      a.data = v.data;
      a.data_row_stride = a.rows > 1 ? v.stride[0] : v.shape[1];
      check_dynamics(check, steps, step_size);
      check.require(trajectories >= 1, "trajectories", "positive",
                    static_cast<double>(trajectories));
      check.require(length_decay >= 0 && length_decay <= 1, "length_decay", "in [0, 1]",
                    length_decay);
      a.trajectories = trajectories;
      a.steps = steps;
      a.step_size = static_cast<T>(step_size);
      a.rule = {static_cast<T>(rates[0]), static_cast<T>(rates[1]), static_cast<T>(rates[2]),
                static_cast<T>(rates[3]), static_cast<T>(rates[4]), static_cast<T>(rates[5]),
                static_cast<T>(momentum), static_cast<T>(l1),       static_cast<T>(l2)};
      a.length_decay = static_cast<T>(length_decay);
      a.seed = seed;
      a.stream = stream;
      const std::int64_t chains = a.particles == nullptr ? a.rows : a.particle_rows;
      a.acceptance = writable<T>(check, "acceptance", acceptance, {chains});
      a.data_energy = writable<T>(check, "data_energy", data_energy, {a.rows});
      a.chain_energy = writable<T>(check, "chain_energy", chain_energy, {chains});
      if (a.rows == 0) return;
      const auto& kernels = *tables<T>().mean_covariance;
      a.workspace = workspace_.reserve(kernels.update_workspace(a));
      const ReleaseGil release(products(a.model, a.rows + chains * steps * trajectories));
      kernels.update(a);
    };
    if (busy_.exchange(true)) {
      throw std::runtime_error("update: another thread is updating this model");
    }
    try {
      is_float_ ? run(float{}) : run(double{});
      check.finish();
    } catch (...) {
      busy_ = false;
      throw;
    }
    busy_ = false;
  }

 private:
  OfScalar<MeanCovarianceUpdate> arguments_;
  ParameterArrays parameters_, velocity_;
  std::array<py::object, 3> others_;
  bool is_float_;
  Workspace workspace_;
  std::atomic<bool> busy_{false};
};

}  // namespace

void register_mean_covariance(py::module_& module) {
  py::class_<Model>(module, "MeanCovarianceModel", "Parameters of a mean-covariance RBM.")
      .def(py::init<py::object, py::object, py::object, py::object, py::object, py::object,
                    double>(),
           py::arg("filters"), py::arg("pooling"), py::arg("weights"), py::arg("visible_bias"),
           py::arg("covariance_bias"), py::arg("mean_bias"), py::arg("offset"))
      .def_property_readonly("shape", &Model::shape)
      .def_property_readonly("pooled", &Model::pooled);
  module.def("mean_covariance_evaluate", &evaluate);
  module.def("mean_covariance_parameter_gradient", &parameter_gradient);
  module.def("leapfrog", &leapfrog);
  module.def("hybrid_monte_carlo", &hybrid_monte_carlo);
  const py::object none = py::none();
  py::class_<Divergence>(module, "MeanCovarianceDivergence",
                         "Updates of a mean-covariance RBM, and their state.")
      .def(py::init<const Model&, const ParameterArrays&, py::object, py::object, py::object>(),
           py::arg("model"), py::arg("velocity"), py::kw_only(), py::arg("particles") = none,
           py::arg("filter_length") = none, py::arg("pooling_mask") = none)
      .def("update", &Divergence::update, py::arg("data"), py::kw_only(),
           py::arg("trajectories") = 1, py::arg("leapfrog_steps") = 20, py::arg("step_size") = 0.01,
           py::arg("rates"), py::arg("momentum") = 0.0, py::arg("l1") = 0.0, py::arg("l2") = 0.0,
           py::arg("length_decay") = 0.95, py::arg("seed") = 0, py::arg("stream") = 0,
           py::arg("acceptance") = none, py::arg("data_energy") = none,
           py::arg("chain_energy") = none);
}

}  // namespace ictus::bindings
