// Annealed importance sampling and parallel tempering of an RbmModel.
#include "ictus/tempering.h"
#include "bindings/families.h"
#include "bindings/rbm_model.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

// The arguments that both have in common, checked, but for the workspace.
template <class T>
TemperedArguments<T> tempered(const Check& check, const Rbm& model, const RbmModel<T>& m,
                              py::handle base_bias, py::handle visible, std::int64_t steps,
                              std::uint64_t seed, std::uint64_t stream) {
  if (m.hidden_units == Units::rectified) {
    check.value_error("model", "must have bernoulli or gaussian hidden units, got rectified");
  }
  TemperedArguments<T> a = {};
  a.model = m;
  a.base_bias = check.contiguous<const T>("base_bias", base_bias, {m.visible}).data;
  const View<T> v = check.contiguous<T>("visible", visible, {kAny, m.visible}, Access::write);
  model.held.disjoint(check, "visible", v);
  a.rows = v.shape[0];
  bounded(check, "visible", a.rows, m.visible, m.hidden);
  a.visible = v.data;
  check.require(steps >= 0, "steps", "not negative", static_cast<double>(steps));
  a.steps = steps;
  a.seed = seed;
  a.stream = stream;
  return a;
}

// Runs a kernel in a workspace of its own, which the steps of one call share.
template <class T, class Kernel, class Arguments>
void run_tempered(Kernel kernel, Arguments& a) {
  TemperedArguments<T>& c = a.chains;
  if (c.rows == 0 || c.steps == 0) return;
  Workspace workspace;
  c.workspace = workspace.reserve(tables<T>().tempering->tempered_workspace(c.model, c.rows));
  const ReleaseGil release(static_cast<double>(c.rows) * static_cast<double>(c.model.visible) *
                           static_cast<double>(c.model.hidden) * static_cast<double>(c.steps));
  kernel(a);
}

void anneal(const Rbm& model, py::handle base_bias, py::handle inverse_temperature,
            py::handle visible, py::handle log_weights, std::uint64_t seed, std::uint64_t stream) {
  const Check check("anneal");
  with_model(model, check, [&](const auto& m) {
    using T = std::remove_const_t<std::remove_pointer_t<decltype(m.weights)>>;
    const View<const double> beta =
        check.contiguous<const double>("inverse_temperature", inverse_temperature, {kAny});
    AnnealingArguments<T> a = {};
    const std::int64_t steps = beta.shape[0] > 0 ? beta.shape[0] - 1 : 0;
    a.chains = tempered(check, model, m, base_bias, visible, steps, seed, stream);
    a.inverse_temperature = beta.data;
    a.log_weights =
        check.contiguous<double>("log_weights", log_weights, {a.chains.rows}, Access::write).data;
    run_tempered<T>(tables<T>().tempering->anneal, a);
  });
}

void parallel_tempering(const Rbm& model, py::handle base_bias, py::handle inverse_temperature,
                        py::handle visible, py::handle temperature, py::handle row_at,
                        py::handle swaps, std::int64_t steps, std::int64_t first_step,
                        std::uint64_t seed, std::uint64_t stream) {
  const Check check("parallel_tempering");
  with_model(model, check, [&](const auto& m) {
    using T = std::remove_const_t<std::remove_pointer_t<decltype(m.weights)>>;
    using Index = std::int64_t;
    const View<const double> beta =
        check.contiguous<const double>("inverse_temperature", inverse_temperature, {kAny});
    ParallelTemperingArguments<T> a = {};
    a.chains = tempered(check, model, m, base_bias, visible, steps, seed, stream);
    const Index rows = a.chains.rows;
    a.replicas = beta.shape[0];
    check.require(a.replicas >= 1 && rows % a.replicas == 0, "inverse_temperature",
                  "one for each replica, a divisor of the rows of visible",
                  static_cast<double>(a.replicas));
    a.first_step = first_step;
    a.inverse_temperature = beta.data;
    a.temperature = check.contiguous<Index>("temperature", temperature, {rows}, Access::write).data;
    a.row_at = check.contiguous<Index>("row_at", row_at, {rows}, Access::write).data;
    a.swaps = check.contiguous<Index>("swaps", swaps, {a.replicas - 1}, Access::write).data;
    // The kernel follows these indices.
    const Index* const row_of = check.on_host<Index>("row_at", row_at, {rows}).data;
    const Index* const temperature_of =
        check.on_host<Index>("temperature", temperature, {rows}).data;
    for (Index i = 0; i < rows; ++i) {
      const Index row = row_of[i], t = i % a.replicas;
      const bool fits = row >= i - t && row < i - t + a.replicas && temperature_of[row] == t;
      check.require(fits, "row_at", "the inverse of temperature, chain by chain",
                    static_cast<double>(row));
    }
    run_tempered<T>(tables<T>().tempering->parallel_tempering, a);
  });
}

}  // namespace

void register_tempering(py::module_& module) {
  module.def("anneal", &anneal);
  module.def("parallel_tempering", &parallel_tempering);
}

}  // namespace ictus::bindings
