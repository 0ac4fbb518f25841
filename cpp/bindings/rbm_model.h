// The parameters of a restricted Boltzmann machine, checked once: RbmModel.
#pragma once

#include "bindings/held_arrays.h"
#include "bindings/model.h"
#include "ictus/rbm.h"

namespace ictus::bindings {

class Rbm {
 public:
  Rbm(py::object weights, py::object visible_bias, py::object hidden_bias, py::object variance,
      int visible_units, int hidden_units, std::int64_t group)
      : arrays{weights, visible_bias, hidden_bias, variance} {
    const Check check("RbmModel");
    is_float = check.is_float("weights", weights);
    check.require((visible_units >= 0 && visible_units <= 2) || visible_units == 4, "visible_units",
                  "0, 1, 2 or 4", visible_units);
    check.require(hidden_units == 0 || hidden_units == 1 || hidden_units == 3, "hidden_units",
                  "0, 1 or 3", hidden_units);
    with_scalar(check, "weights", weights, [&](auto scalar) {
      using T = decltype(scalar);
      RbmModel<T>& m = models.get<T>();
      const View<const T> w =
          held.add<const T>(check, "weights", weights, {kAny, kAny}, Access::read);
      m.visible = w.shape[0];
      m.hidden = w.shape[1];
      if (w.size() == 0) {
        check.value_error("weights", "must not be empty, got shape " + shape_text(w.shape, 2));
      }
      m.visible_units = static_cast<Units>(visible_units);
      m.hidden_units = static_cast<Units>(hidden_units);
      const bool softmax = m.visible_units == Units::softmax;
      if (m.visible_units == Units::labelled) {
        check.require(group >= 1 && group < m.visible, "group_size",
                      "at least 1 and less than the visible units", static_cast<double>(group));
      } else {
        check.require(softmax ? group >= 1 && m.visible % group == 0 : group == 1, "group_size",
                      softmax ? "a divisor of the visible units" : "1 where there are no groups",
                      static_cast<double>(group));
      }
      m.group = group;
      m.weights = w.data;
      m.visible_bias =
          held.add<const T>(check, "visible_bias", visible_bias, {m.visible}, Access::read).data;
      m.hidden_bias =
          held.add<const T>(check, "hidden_bias", hidden_bias, {m.hidden}, Access::read).data;
      if (!Check::absent(variance) && m.visible_units != Units::gaussian) {
        check.value_error("variance", "must be None unless the visible units are gaussian");
      }
      m.variance =
          held.add_optional<const T>(check, "variance", variance, {m.visible}, Access::read);
    });
  }

  py::tuple shape() const {
    return is_float ? py::make_tuple(models.of_float.visible, models.of_float.hidden)
                    : py::make_tuple(models.of_double.visible, models.of_double.hidden);
  }

  OfScalar<RbmModel> models;
  bool is_float;
  HeldArrays held;
  py::object arrays[4];  // weights, visible_bias, hidden_bias, variance
};

template <class Body>
void with_model(const Rbm& model, const Check& check, Body&& body) {
  model.held.still_the_same(check);
  if (model.is_float) {
    body(model.models.of_float);
  } else {
    body(model.models.of_double);
  }
  check.finish();
}

// Refuses sizes whose workspace could not be counted in 64 bits.
inline void bounded(const Check& check, const char* name, std::int64_t rows, std::int64_t visible,
                    std::int64_t hidden) {
  const double elements =
      static_cast<double>(rows) * (static_cast<double>(visible) + static_cast<double>(hidden));
  check.require(elements < 0x1p56, name, "small enough for this memory", elements);
}

}  // namespace ictus::bindings
