// Elementwise functions, activation derivatives, dropout.
#include "ictus/activation.h"

#include "bindings/arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

constexpr double kOperationsPerElement = 20;

// `name` is what the caller calls the function; it opens the messages.
void elementwise(const std::string& name, py::object x, py::object out, int function) {
  const Check check(name.c_str());
  check.require(function >= 0 && function < kElementwiseFunctions, "function", "in [0, 7)",
                function);
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = check.rows<const T>("x", x, {kAny, kAny});
    const View<T> vout = check.rows<T>("out", out, {vx.shape[0], vx.shape[1]}, Access::write);
    check.same_or_disjoint("out", vout, "x", vx);
    const ReleaseGil release(kOperationsPerElement * static_cast<double>(vx.size()));
    tables<T>().activation->map(
        static_cast<Elementwise>(function),
        {vx.shape[0], vx.shape[1], vx.data, vx.stride[0], vout.data, vout.stride[0]});
  });
}

void activation_backward(py::object grad, py::object y, py::object out, int activation,
                         double dropout_rate, std::uint64_t seed, std::uint64_t stream,
                         std::int64_t first_row) {
  const Check check("activation_backward");
  check.require(activation >= 0 && activation < kActivations, "activation", "in [0, 5)",
                activation);
  check.require(dropout_rate >= 0 && dropout_rate < 1, "dropout_rate", "in [0, 1)", dropout_rate);
  check.require(first_row >= 0, "first_row", "at least 0", static_cast<double>(first_row));
  with_scalar(check, "grad", grad, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vgrad = check.rows<const T>("grad", grad, {kAny, kAny});
    const std::int64_t rows = vgrad.shape[0];
    const std::int64_t columns = vgrad.shape[1];
    const View<const T> vy = check.rows<const T>("y", y, {rows, columns});
    const View<T> vout = check.rows<T>("out", out, {rows, columns}, Access::write);
    check.same_or_disjoint("out", vout, "grad", vgrad);
    check.same_or_disjoint("out", vout, "y", vy);
    const ReleaseGil release(kOperationsPerElement * static_cast<double>(vgrad.size()));
    tables<T>().activation->backward(static_cast<Activation>(activation),
                                     {rows,
                                      columns,
                                      vgrad.data,
                                      vgrad.stride[0],
                                      vy.data,
                                      vy.stride[0],
                                      vout.data,
                                      vout.stride[0],
                                      {static_cast<T>(dropout_rate), seed, stream, first_row}});
  });
}

void dropout(py::object x, py::object out, double rate, std::uint64_t seed, std::uint64_t stream,
             std::int64_t first_row) {
  const Check check("dropout");
  check.require(rate >= 0 && rate < 1, "rate", "in [0, 1)", rate);
  check.require(first_row >= 0, "first_row", "at least 0", static_cast<double>(first_row));
  with_scalar(check, "x", x, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vx = check.rows<const T>("x", x, {kAny, kAny});
    const View<T> vout = check.rows<T>("out", out, {vx.shape[0], vx.shape[1]}, Access::write);
    check.same_or_disjoint("out", vout, "x", vx);
    const ReleaseGil release(kOperationsPerElement * static_cast<double>(vx.size()));
    tables<T>().activation->dropout(
        {static_cast<T>(rate), seed, stream, first_row},
        {vx.shape[0], vx.shape[1], vx.data, vx.stride[0], vout.data, vout.stride[0]});
  });
}

Activation activation_of(const Check& check, int number) {
  check.require(number >= 0 && number < kActivations, "activation", "in [0, 5)", number);
  return static_cast<Activation>(number);
}

void squared_slopes(py::object y, py::object out, int number) {
  const Check check("squared_slopes");
  const Activation activation = activation_of(check, number);
  with_scalar(check, "y", y, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vy = check.rows<const T>("y", y, {kAny, kAny});
    const View<T> vout = check.contiguous<T>("out", out, {vy.shape[1]}, Access::write);
    check.disjoint("out", vout, "y", vy);
    const ReleaseGil release(kOperationsPerElement * static_cast<double>(vy.size()));
    tables<T>().activation->squared_slopes(
        activation,
        {vy.shape[0], vy.shape[1], vy.data, vy.stride[0], nullptr, vout.data, vy.shape[1]});
  });
}

void add_contraction(py::object y, py::object factors, py::object grad, int number) {
  const Check check("add_contraction");
  const Activation activation = activation_of(check, number);
  with_scalar(check, "y", y, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vy = check.rows<const T>("y", y, {kAny, kAny});
    const std::int64_t rows = vy.shape[0];
    const std::int64_t columns = vy.shape[1];
    const View<const T> vfactors = check.contiguous<const T>("factors", factors, {columns});
    const View<T> vgrad = check.rows<T>("grad", grad, {rows, columns}, Access::write);
    check.disjoint("grad", vgrad, "y", vy);
    check.disjoint("grad", vgrad, "factors", vfactors);
    const ReleaseGil release(kOperationsPerElement * static_cast<double>(vy.size()));
    tables<T>().activation->add_contraction(
        activation,
        {rows, columns, vy.data, vy.stride[0], vfactors.data, vgrad.data, vgrad.stride[0]});
  });
}

}  // namespace

void register_activation(py::module_& module) {
  module.def("elementwise", &elementwise);
  module.def("activation_backward", &activation_backward);
  module.def("dropout", &dropout);
  module.def("squared_slopes", &squared_slopes);
  module.def("add_contraction", &add_contraction);
}

}  // namespace ictus::bindings
