// The training state of a restricted Boltzmann machine, checked once, and its updates.
#pragma once

#include <atomic>
#include <cmath>
#include <stdexcept>

#include "bindings/rbm_model.h"
#include "core/tables.h"

namespace ictus::bindings {

class OneAtATime {
 public:
  explicit OneAtATime(std::atomic<bool>& busy) : busy_(busy) {
    if (busy_.exchange(true)) {
      throw std::runtime_error("update: another thread is updating this model");
    }
  }
  ~OneAtATime() { busy_ = false; }
  OneAtATime(const OneAtATime&) = delete;
  OneAtATime& operator=(const OneAtATime&) = delete;

 private:
  std::atomic<bool>& busy_;
};

class Divergence {
 public:
  Divergence(const Rbm& model, py::object weights_velocity, py::object visible_velocity,
             py::object hidden_velocity, py::object particles, py::object fast_weights,
             py::object visible_context, py::object hidden_context,
             py::object visible_context_velocity, py::object hidden_context_velocity,
             py::object log_variance, py::object log_variance_velocity, py::object activity)
      : is_float_(model.is_float) {
    const Check check("ContrastiveDivergence");
    with_model(model, check, [&](const auto& m) {
      using T = std::remove_const_t<std::remove_pointer_t<decltype(m.weights)>>;
      const std::int64_t v = m.visible, h = m.hidden;
      const auto required = [&](const char* name, const py::object& array,
                                std::initializer_list<std::int64_t> shape) {
        return held_.add<T>(check, name, array, shape, Access::write).data;
      };
      const auto optional = [&](const char* name, const py::object& array,
                                std::initializer_list<std::int64_t> shape) {
        return held_.add_optional<T>(check, name, array, shape, Access::write);
      };
      const auto only_with = [&](const char* name, const py::object& array, const char* other) {
        if (!Check::absent(array)) {
          check.value_error(name, std::string("must be None without ") + other);
        }
      };
      DivergenceArguments<T>& a = arguments_.get<T>();
      a.model = m;
      a.weights = required("weights", model.arrays[0], {v, h});
      a.visible_bias = required("visible_bias", model.arrays[1], {v});
      a.hidden_bias = required("hidden_bias", model.arrays[2], {h});
      a.weights_velocity = required("weights_velocity", weights_velocity, {v, h});
      a.visible_velocity = required("visible_velocity", visible_velocity, {v});
      a.hidden_velocity = required("hidden_velocity", hidden_velocity, {h});
      a.particles = optional("particles", particles, {kAny, h});
      a.particle_rows = a.particles == nullptr ? 0 : static_cast<std::int64_t>(py::len(particles));
      check.require(a.particles == nullptr || a.particle_rows > 0, "particles", "at least one row",
                    0);
      bounded(check, "particles", a.particle_rows, v, h);
      a.fast_weights = optional("fast_weights", fast_weights, {v, h});
      a.visible_context = optional("visible_context", visible_context, {kAny, v});
      if (a.visible_context != nullptr) {
        const auto c = static_cast<std::int64_t>(py::len(visible_context));
        check.require(c > 0, "visible_context", "at least one row", 0);
        if (a.particles != nullptr) check.value_error("particles", "must be None with a context");
        a.context_size = c;
        a.hidden_context = required("hidden_context", hidden_context, {c, h});
        a.visible_context_velocity =
            required("visible_context_velocity", visible_context_velocity, {c, v});
        a.hidden_context_velocity =
            required("hidden_context_velocity", hidden_context_velocity, {c, h});
      } else {
        only_with("hidden_context", hidden_context, "visible_context");
        only_with("visible_context_velocity", visible_context_velocity, "visible_context");
        only_with("hidden_context_velocity", hidden_context_velocity, "visible_context");
      }
      a.log_variance = optional("log_variance", log_variance, {v});
      if (a.log_variance != nullptr) {
        a.log_variance_velocity = required("log_variance_velocity", log_variance_velocity, {v});
        a.variance = required("variance", model.arrays[3], {v});
      } else {
        only_with("log_variance_velocity", log_variance_velocity, "log_variance");
        if (m.variance != nullptr) {
          held_.add<const T>(check, "variance", model.arrays[3], {v}, Access::read);
        }
      }
      a.activity = optional("activity", activity, {h});
    });
    held_.disjoint_in_pairs(check);
  }

  void update(py::handle data, py::handle context, std::int64_t steps, double weight_rate,
              double bias_rate, double momentum, double l1, double l2, double negative_scale,
              py::handle visible_uniforms, py::handle hidden_uniforms, double fast_rate,
              double fast_decay, double variance_rate, double lowest_log_variance,
              double highest_log_variance, double sparsity_target, double sparsity_cost,
              double sparsity_decay, py::handle chain_visible, std::uint64_t seed,
              std::uint64_t stream) {
    const Check check("update");
    const auto run = [&](auto scalar) {
      using T = decltype(scalar);
      const auto number = [&](const char* name, double x) {
        check.require(std::isfinite(static_cast<T>(x)), name, "finite", x);
        return static_cast<T>(x);
      };
      const auto not_negative = [&](const char* name, double x) {
        check.require(x >= 0, name, "at least 0", x);
        return number(name, x);
      };
      const auto share = [&](const char* name, double x) {
        check.require(x >= 0 && x <= 1, name, "in [0, 1]", x);
        return static_cast<T>(x);
      };
      held_.still_the_same(check);
      DivergenceArguments<T> a = arguments_.get<T>();
      take_data(check, a, data, context);
      check.require(steps >= 1, "steps", "at least 1", static_cast<double>(steps));
      a.steps = steps;
      a.rule = {number("weight_rate", weight_rate), number("bias_rate", bias_rate),
                share("momentum", momentum), not_negative("l1", l1), not_negative("l2", l2)};
      a.negative_scale = not_negative("negative_scale", negative_scale);
      if (negative_scale != 0 && a.model.visible_units == Units::gaussian) {
        check.value_error("negative_scale", "must be 0 with gaussian visible units");
      }
      take_uniforms(check, a, visible_uniforms, hidden_uniforms);
      if (!Check::absent(chain_visible)) {
        const std::int64_t rows = a.particles == nullptr ? a.rows : a.particle_rows;
        const View<T> v = check.contiguous<T>("chain_visible", chain_visible,
                                              {rows, a.model.visible}, Access::write);
        held_.disjoint(check, "chain_visible", v);
        check.disjoint("chain_visible", v, "data",
                       check.rows<const T>("data", data, {kAny, a.model.visible}));
        a.chain_visible = v.data;
      }
      a.fast_rate = number("fast_rate", fast_rate);
      check.require(fast_rate == 0 || a.fast_weights != nullptr, "fast_rate",
                    "0 without fast_weights", fast_rate);
      a.fast_decay = share("fast_decay", fast_decay);
      a.variance_rate = number("variance_rate", variance_rate);
      check.require(variance_rate == 0 || a.log_variance != nullptr, "variance_rate",
                    "0 without log_variance", variance_rate);
      a.lowest_log_variance = number("lowest_log_variance", lowest_log_variance);
      a.highest_log_variance = number("highest_log_variance", highest_log_variance);
      check.require(highest_log_variance >= lowest_log_variance, "highest_log_variance",
                    "at least lowest_log_variance", highest_log_variance);
      a.sparsity_target = number("sparsity_target", sparsity_target);
      a.sparsity_cost = not_negative("sparsity_cost", sparsity_cost);
      check.require(sparsity_cost == 0 || a.activity != nullptr, "sparsity_cost",
                    "0 without activity", sparsity_cost);
      a.sparsity_decay = share("sparsity_decay", sparsity_decay);
      a.seed = seed;
      a.stream = stream;
      if (a.rows == 0) return;
      const auto& kernels = *tables<T>().rbm;
      a.workspace = workspace_.reserve(kernels.divergence_workspace(a));
      const ReleaseGil release(static_cast<double>(a.rows) * static_cast<double>(a.model.visible) *
                               static_cast<double>(a.model.hidden));
      kernels.contrastive_divergence(a);
    };
    const OneAtATime one(busy_);
    is_float_ ? run(float{}) : run(double{});
    check.finish();
  }

 private:
  template <class T>
  void take_data(const Check& check, DivergenceArguments<T>& a, py::handle data,
                 py::handle context) {
    const View<const T> v = check.rows<const T>("data", data, {kAny, a.model.visible});
    held_.disjoint(check, "data", v);
    a.rows = v.shape[0];
    bounded(check, "data", a.rows, a.model.visible, a.model.hidden);
    a.data = v.data;
    a.data_row_stride = a.rows > 1 ? v.stride[0] : v.shape[1];
    if (Check::absent(context) != (a.visible_context == nullptr)) {
      check.value_error("context", a.visible_context == nullptr
                                       ? "must be None where there is no visible_context"
                                       : "must be given with visible_context, got None");
    }
    if (Check::absent(context)) return;
    const View<const T> c = check.rows<const T>("context", context, {a.rows, a.context_size});
    held_.disjoint(check, "context", c);
    a.context = c.data;
    a.context_row_stride = a.rows > 1 ? c.stride[0] : c.shape[1];
  }

  template <class T>
  void take_uniforms(const Check& check, DivergenceArguments<T>& a, py::handle visible,
                     py::handle hidden) {
    const auto take = [&](const char* name, py::handle array, std::int64_t columns) -> const T* {
      if (Check::absent(array)) return nullptr;
      if (a.steps != 1 || a.particles == nullptr || a.model.visible_units != Units::bernoulli ||
          a.model.hidden_units != Units::bernoulli) {
        check.value_error(name, "must be None but for one step of particles of Bernoulli units");
      }
      const View<const T> v = check.contiguous<const T>(name, array, {a.particle_rows, columns});
      held_.disjoint(check, name, v);
      return v.data;
    };
    a.visible_uniforms = take("visible_uniforms", visible, a.model.visible);
    a.hidden_uniforms = take("hidden_uniforms", hidden, a.model.hidden);
  }

  OfScalar<DivergenceArguments> arguments_;
  HeldArrays held_;
  bool is_float_;
  Workspace workspace_;
  std::atomic<bool> busy_{false};
};

}  // namespace ictus::bindings
