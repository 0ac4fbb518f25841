// Arrays of random numbers.
#include "ictus/random.h"

#include "bindings/arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

constexpr double kOperationsPerElement = 20;

int rank_of(const Check& check, const char* name, py::handle object) {
  check.is_float(name, object);  // refuses what is no array
  ArrayFacts facts;
  check.read(name, object, facts);
  if (facts.rank != 1 && facts.rank != 2) {
    check.value_error(name, "must have 1 or 2 axes, got " + std::to_string(facts.rank));
  }
  return facts.rank;
}

template <class T>
void fill(int rank, const RandomArguments<T>& arguments) {
  const ReleaseGil release(kOperationsPerElement * static_cast<double>(arguments.rows) *
                           static_cast<double>(arguments.columns));
  const auto& kernels = *tables<T>().random;
  (rank == 1 ? kernels.fill_flat : kernels.fill_matrix)(arguments);
}

template <class T>
View<T> vector_or_matrix(const Check& check, const char* name, py::handle object, int rank,
                         std::int64_t rows, std::int64_t columns, Access access) {
  if (rank == 2) return check.rows<T>(name, object, {rows, columns}, access);
  View<T> v = check.contiguous<T>(name, object, {columns}, access);
  return v;
}

template <class T>
RandomArguments<T> arguments_of(int rank, const View<T>& out, Distribution distribution,
                                std::uint64_t seed, std::uint64_t stream, std::int64_t first_row) {
  RandomArguments<T> a = {};
  a.distribution = distribution;
  a.seed = seed;
  a.stream = stream;
  a.rows = rank == 2 ? out.shape[0] : 1;
  a.columns = out.shape[rank - 1];
  a.first_row = first_row;
  a.out = out.data;
  a.out_row_stride = out.stride[0];
  return a;
}

void draw(const char* function, Distribution distribution, const py::object& out,
          std::uint64_t seed, std::uint64_t stream, std::int64_t first_row) {
  const Check check(function);
  check.require(first_row >= 0, "first_row", "at least 0", static_cast<double>(first_row));
  const int rank = rank_of(check, "out", out);
  with_scalar(check, "out", out, [&](auto scalar) {
    using T = decltype(scalar);
    const View<T> v = vector_or_matrix<T>(check, "out", out, rank, kAny, kAny, Access::write);
    fill(rank, arguments_of(rank, v, distribution, seed, stream, first_row));
  });
}

void uniform(py::object out, std::uint64_t seed, std::uint64_t stream, std::int64_t first_row) {
  draw("uniform", Distribution::uniform, out, seed, stream, first_row);
}

void normal(py::object out, std::uint64_t seed, std::uint64_t stream, std::int64_t first_row) {
  draw("normal", Distribution::normal, out, seed, stream, first_row);
}

void bernoulli(py::object p, py::object out, std::uint64_t seed, std::uint64_t stream,
               std::int64_t first_row) {
  const Check check("bernoulli");
  check.require(first_row >= 0, "first_row", "at least 0", static_cast<double>(first_row));
  const int rank = rank_of(check, "p", p);
  with_scalar(check, "p", p, [&](auto scalar) {
    using T = decltype(scalar);
    const View<const T> vp =
        vector_or_matrix<const T>(check, "p", p, rank, kAny, kAny, Access::read);
    const View<T> vout = vector_or_matrix<T>(check, "out", out, rank, vp.shape[0],
                                             vp.shape[rank - 1], Access::write);
    check.same_or_disjoint("out", vout, "p", vp);
    RandomArguments<T> a =
        arguments_of(rank, vout, Distribution::bernoulli, seed, stream, first_row);
    a.p = vp.data;
    a.p_row_stride = vp.stride[0];
    fill(rank, a);
  });
}

}  // namespace

void register_random(py::module_& module) {
  module.def("uniform", &uniform);
  module.def("normal", &normal);
  module.def("bernoulli", &bernoulli);
}

}  // namespace ictus::bindings
