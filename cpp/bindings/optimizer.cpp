// sgd_update, rmsprop_update, adam_update, max_norm.
#include <cmath>

#include "bindings/arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

template <class T>
View<T> state(const Check& check, const char* name, py::handle object, std::int64_t size,
              const UpdateArguments<T>& update) {
  const View<T> view = check.contiguous<T>(name, object, {size}, Access::write);
  View<T> parameters = view;
  parameters.data = update.parameters;
  check.disjoint(name, view, "parameters", parameters);
  return view;
}

template <class T>
UpdateArguments<T> common(const Check& check, py::handle parameters, py::handle gradient,
                          double gradient_scale, double l1, double l2, py::handle segments) {
  const View<T> w = check.contiguous<T>("parameters", parameters, {kAny}, Access::write);
  const View<const T> g = check.contiguous<const T>("gradient", gradient, {w.shape[0]});
  check.disjoint("gradient", g, "parameters", w);
  check.require(l1 >= 0, "l1", "not negative", l1);
  check.require(l2 >= 0, "l2", "not negative", l2);
  UpdateArguments<T> update = {
      w.shape[0],         w.data,  g.data, static_cast<T>(gradient_scale), static_cast<T>(l1),
      static_cast<T>(l2), nullptr, 0};
  if (!Check::absent(segments)) {
    const auto s = check.on_host<std::int64_t>("segments", segments, {kAny, 2});
    std::int64_t last = 0;
    for (std::int64_t i = 0; i < 2 * s.shape[0]; ++i) {
      if (s.data[i] < last || s.data[i] > w.shape[0]) {
        check.value_error("segments", "must be ascending and within the parameters, got " +
                                          std::to_string(s.data[i]) + " in row " +
                                          std::to_string(i / 2));
      }
      last = s.data[i];
    }
    update.segments = s.data;
    update.segment_count = s.shape[0];
  }
  return update;
}

void sgd_update(py::handle parameters, py::handle gradient, py::handle velocity,
                double learning_rate, double momentum, bool nesterov, bool dampened,
                double gradient_scale, double l1, double l2, py::handle segments) {
  const Check check("sgd_update");
  with_scalar(check, "parameters", parameters, [&](auto scalar) {
    using T = decltype(scalar);
    SgdArguments<T> a = {};
    a.update = common<T>(check, parameters, gradient, gradient_scale, l1, l2, segments);
    check.require(momentum >= 0 && momentum <= 1, "momentum", "in [0, 1]", momentum);
    if (!Check::absent(velocity)) {
      a.velocity = state(check, "velocity", velocity, a.update.size, a.update).data;
    } else {
      check.require(momentum == 0, "momentum", "0 where velocity is not given", momentum);
    }
    a.learning_rate = static_cast<T>(learning_rate);
    a.momentum = static_cast<T>(momentum);
    a.nesterov = nesterov;
    a.dampened = dampened;
    const ReleaseGil release(4.0 * static_cast<double>(a.update.size));
    tables<T>().optimizer->sgd(a);
  });
}

void rmsprop_update(py::handle parameters, py::handle gradient, py::handle mean_square,
                    py::handle velocity, double learning_rate, double decay, double epsilon,
                    double momentum, double gradient_scale, double l1, double l2,
                    py::handle segments) {
  const Check check("rmsprop_update");
  with_scalar(check, "parameters", parameters, [&](auto scalar) {
    using T = decltype(scalar);
    RmspropArguments<T> a = {};
    a.update = common<T>(check, parameters, gradient, gradient_scale, l1, l2, segments);
    check.require(decay >= 0 && decay < 1, "decay", "in [0, 1)", decay);
    check.require(momentum >= 0 && momentum < 1, "momentum", "in [0, 1)", momentum);
    check.require(epsilon > 0, "epsilon", "positive", epsilon);
    a.mean_square = state(check, "mean_square", mean_square, a.update.size, a.update).data;
    if (!Check::absent(velocity)) {
      a.velocity = state(check, "velocity", velocity, a.update.size, a.update).data;
    } else {
      check.require(momentum == 0, "momentum", "0 where velocity is not given", momentum);
    }
    a.learning_rate = static_cast<T>(learning_rate);
    a.decay = static_cast<T>(decay);
    a.epsilon = static_cast<T>(epsilon);
    a.momentum = static_cast<T>(momentum);
    const ReleaseGil release(8.0 * static_cast<double>(a.update.size));
    tables<T>().optimizer->rmsprop(a);
  });
}

void adam_update(py::handle parameters, py::handle gradient, py::handle mean,
                 py::handle mean_square, std::int64_t step, double learning_rate, double beta1,
                 double beta2, double epsilon, double decoupled_decay, double gradient_scale,
                 double l1, double l2, py::handle segments) {
  const Check check("adam_update");
  with_scalar(check, "parameters", parameters, [&](auto scalar) {
    using T = decltype(scalar);
    AdamArguments<T> a = {};
    a.update = common<T>(check, parameters, gradient, gradient_scale, l1, l2, segments);
    check.require(step >= 1, "step", "at least 1", static_cast<double>(step));
    check.require(beta1 >= 0 && beta1 < 1, "beta1", "in [0, 1)", beta1);
    check.require(beta2 >= 0 && beta2 < 1, "beta2", "in [0, 1)", beta2);
    check.require(epsilon > 0, "epsilon", "positive", epsilon);
    check.require(decoupled_decay >= 0, "decoupled_decay", "not negative", decoupled_decay);
    a.mean = state(check, "mean", mean, a.update.size, a.update).data;
    a.mean_square = state(check, "mean_square", mean_square, a.update.size, a.update).data;
    const double t = static_cast<double>(step);
    a.beta1 = static_cast<T>(beta1);
    a.beta2 = static_cast<T>(beta2);
    a.epsilon = static_cast<T>(epsilon);
    a.step_size = static_cast<T>(learning_rate / (1 - std::pow(beta1, t)));
    a.root_correction = static_cast<T>(1 / std::sqrt(1 - std::pow(beta2, t)));
    a.shrinkage = static_cast<T>(learning_rate * decoupled_decay);
    const ReleaseGil release(10.0 * static_cast<double>(a.update.size));
    tables<T>().optimizer->adam(a);
  });
}

void max_norm(py::handle weights, double limit) {
  const Check check("max_norm");
  with_scalar(check, "weights", weights, [&](auto scalar) {
    using T = decltype(scalar);
    const View<T> w = check.rows<T>("weights", weights, {kAny, kAny}, Access::write);
    check.require(limit > 0, "limit", "positive", limit);
    const ReleaseGil release(4.0 * static_cast<double>(w.size()));
    tables<T>().optimizer->max_norm(w.data, w.shape[0], w.shape[1], w.stride[0],
                                    static_cast<T>(limit));
  });
}

}  // namespace

void register_optimizer(py::module_& module) {
  module.def("sgd_update", &sgd_update);
  module.def("rmsprop_update", &rmsprop_update);
  module.def("adam_update", &adam_update);
  module.def("max_norm", &max_norm);
}

}  // namespace ictus::bindings
