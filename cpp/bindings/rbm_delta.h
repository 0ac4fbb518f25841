// The delta rule for one layer of a directed net: its state checked once, and its updates.
#pragma once

#include "bindings/rbm_divergence.h"

namespace ictus::bindings {

class DeltaRule {
 public:
  DeltaRule(const Rbm& model, bool hidden, py::object weights_velocity, py::object bias_velocity)
      : is_float_(model.is_float) {
    const Check check("DeltaRule");
    with_model(model, check, [&](const auto& m) {
      using T = std::remove_const_t<std::remove_pointer_t<decltype(m.weights)>>;
      const auto add = [&](const char* name, const py::object& array,
                           std::initializer_list<std::int64_t> shape) {
        return held_.add<T>(check, name, array, shape, Access::write).data;
      };
      const std::int64_t units = hidden ? m.hidden : m.visible;
      DeltaArguments<T>& a = arguments_.get<T>();
      a.model = m;
      a.hidden = hidden;
      a.weights = add("weights", model.arrays[0], {m.visible, m.hidden});
      a.bias = add("bias", model.arrays[hidden ? 2 : 1], {units});
      a.weights_velocity = add("weights_velocity", weights_velocity, {m.visible, m.hidden});
      a.bias_velocity = add("bias_velocity", bias_velocity, {units});
      if (m.variance != nullptr) {
        held_.add<const T>(check, "variance", model.arrays[3], {m.visible}, Access::read);
      }
    });
    held_.disjoint_in_pairs(check);
  }

  void update(py::handle given, py::handle target, double weight_rate, double bias_rate,
              double momentum, double l1, double l2) {
    const Check check("update");
    const auto run = [&](auto scalar) {
      using T = decltype(scalar);
      const auto number = [&](const char* name, double x, bool signless) {
        check.require(std::isfinite(static_cast<T>(x)), name, "finite", x);
        if (signless) check.require(x >= 0, name, "at least 0", x);
        return static_cast<T>(x);
      };
      held_.still_the_same(check);
      DeltaArguments<T> a = arguments_.get<T>();
      const std::int64_t visible = a.model.visible, hidden = a.model.hidden;
      const View<const T> from =
          check.rows<const T>("given", given, {kAny, a.hidden ? visible : hidden});
      const View<const T> to =
          check.rows<const T>("target", target, {from.shape[0], a.hidden ? hidden : visible});
      held_.disjoint(check, "given", from);
      held_.disjoint(check, "target", to);
      a.rows = from.shape[0];
      bounded(check, "given", a.rows, visible, hidden);
      a.given = from.data;
      a.given_row_stride = a.rows > 1 ? from.stride[0] : from.shape[1];
      a.target = to.data;
      a.target_row_stride = a.rows > 1 ? to.stride[0] : to.shape[1];
      check.require(momentum >= 0 && momentum <= 1, "momentum", "in [0, 1]", momentum);
      a.rule = {number("weight_rate", weight_rate, false), number("bias_rate", bias_rate, false),
                static_cast<T>(momentum), number("l1", l1, true), number("l2", l2, true)};
      if (a.rows == 0) return;
      const auto& kernels = *tables<T>().rbm;
      a.workspace = workspace_.reserve(kernels.delta_workspace(a));
      const ReleaseGil release(static_cast<double>(a.rows) * static_cast<double>(visible) *
                               static_cast<double>(hidden));
      kernels.delta_rule(a);
    };
    const OneAtATime one(busy_);
    is_float_ ? run(float{}) : run(double{});
    check.finish();
  }

 private:
  OfScalar<DeltaArguments> arguments_;
  HeldArrays held_;
  bool is_float_;
  Workspace workspace_;
  std::atomic<bool> busy_{false};
};

}  // namespace ictus::bindings
