// multi_index_build, multi_index_nearest, multi_index_within.
#include "ictus/multi_index.h"

#include "bindings/code_arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

const MultiIndexKernels<float>& kernels() { return *tables<float>().multi_index; }

// The arrays of an index, in this order in every call.
struct Arrays {
  py::handle codes;
  std::int64_t bits, parts;
  py::handle starts, numbers, bucket_codes;
};

std::int64_t number_of_starts(std::int64_t bits, std::int64_t parts) {
  std::int64_t total = 0;
  for (std::int64_t part = 0; part < parts; ++part) {
    total += (std::int64_t{1} << (bits / parts + (part < bits % parts))) + 1;
  }
  return total;
}

// The kernels only write where `access` says so, in build.
MultiIndex index_of(const Check& check, const Arrays& a, Access access) {
  const CodeView c = code_view(check, "codes", a.codes, kAny);
  check.require(c.shape[0] <= kMaxIndexed, "codes", "of less than 2^32 rows",
                static_cast<double>(c.shape[0]));
  check.require(a.bits >= 1 && a.bits <= c.shape[1] * 64, "bits", "in 1 .. the bits of the words",
                static_cast<double>(a.bits));
  check.require(a.parts >= 1 && a.parts <= kMaxParts && a.parts <= a.bits, "parts",
                "in 1 .. 64 and at most the bits", static_cast<double>(a.parts));
  check.require((a.bits + a.parts - 1) / a.parts <= kMaxSubstringBits, "parts",
                "such that a substring has at most 26 bits", static_cast<double>(a.parts));
  const auto starts = check.contiguous<const std::uint32_t>(
      "starts", a.starts, {number_of_starts(a.bits, a.parts)}, access);
  const auto numbers =
      check.contiguous<const std::uint32_t>("numbers", a.numbers, {a.parts, c.shape[0]}, access);
  View<const std::uint64_t> in_buckets;
  if (!Check::absent(a.bucket_codes)) {
    in_buckets = check.contiguous<const std::uint64_t>("bucket_codes", a.bucket_codes,
                                                       {a.parts, c.shape[0], c.shape[1]}, access);
  }
  return {c.shape[0],
          c.shape[1],
          a.bits,
          a.parts,
          c.data,
          const_cast<std::uint32_t*>(starts.data),
          const_cast<std::uint32_t*>(numbers.data),
          const_cast<std::uint64_t*>(in_buckets.data)};
}

void build(py::handle codes, std::int64_t bits, std::int64_t parts, py::handle starts,
           py::handle numbers, py::handle bucket_codes) {
  const Check check("multi_index_build");
  const MultiIndex index =
      index_of(check, {codes, bits, parts, starts, numbers, bucket_codes}, Access::write);
  const ReleaseGil release(8.0 * static_cast<double>(index.count * index.parts));
  kernels().build(index);
}

// Tables that another index or nobody filled would lead out of the codes.
void check_tables(const Check& check, const MultiIndex& index) {
  const std::uint32_t* starts = index.starts;
  for (std::int64_t part = 0; part < index.parts; ++part) {
    const std::int64_t bits = index.bits / index.parts + (part < index.bits % index.parts);
    const std::int64_t buckets = std::int64_t{1} << bits;
    check.require(starts[0] == 0 && starts[buckets] == index.count, "starts",
                  "those of an index of these codes", starts[buckets]);
    starts += buckets + 1;
  }
}

MultiIndexSearch search_of(const Check& check, const MultiIndex& index, py::handle queries,
                           std::int64_t radius, std::int64_t budget, py::handle removed,
                           py::handle complete) {
  check_tables(check, index);
  const CodeView q = code_view(check, "queries", queries, index.words);
  const auto c = check.contiguous<std::uint8_t>("complete", complete, {q.shape[0]}, Access::write);
  check.require(budget >= 0, "budget", "at least 0", static_cast<double>(budget));
  return {index,
          q.shape[0],
          q.data,
          removed_bits(check, removed, index.count),
          checked_radius(check, radius, index.words),
          budget,
          c.data};
}

void nearest(py::handle codes, std::int64_t bits, std::int64_t parts, py::handle starts,
             py::handle numbers, py::handle bucket_codes, py::handle queries, std::int64_t k,
             std::int64_t radius, std::int64_t budget, py::handle removed, py::handle keys,
             py::handle complete, py::handle distances, py::handle found) {
  const Check check("multi_index_nearest");
  const MultiIndex index =
      index_of(check, {codes, bits, parts, starts, numbers, bucket_codes}, Access::read);
  const MultiIndexSearch search =
      search_of(check, index, queries, radius, budget, removed, complete);
  check.require(k >= 1, "k", "at least 1", static_cast<double>(k));
  const auto room =
      check.contiguous<std::uint64_t>("keys", keys, {search.queries, k}, Access::write);
  const auto d =
      check.contiguous<std::int32_t>("distances", distances, {search.queries, k}, Access::write);
  const auto n = check.contiguous<std::int64_t>("found", found, {search.queries, k}, Access::write);
  check.disjoint("distances", d, "found", n);
  check.disjoint("keys", room, "distances", d);
  check.disjoint("keys", room, "found", n);
  const ReleaseGil release(1e3 * static_cast<double>(search.queries));
  kernels().nearest({search, k, room.data, d.data, n.data});
}

void within(py::handle codes, std::int64_t bits, std::int64_t parts, py::handle starts,
            py::handle numbers, py::handle bucket_codes, py::handle queries, std::int64_t radius,
            std::int64_t budget, py::handle removed, py::handle offsets, py::handle keys,
            py::handle complete, py::handle counts) {
  const Check check("multi_index_within");
  const MultiIndex index =
      index_of(check, {codes, bits, parts, starts, numbers, bucket_codes}, Access::read);
  const MultiIndexSearch search =
      search_of(check, index, queries, radius, budget, removed, complete);
  const auto o = check.contiguous<const std::int64_t>("offsets", offsets, {search.queries + 1});
  const auto room = check.contiguous<std::uint64_t>("keys", keys, {kAny}, Access::write);
  check_offsets(check, o, room.shape[0]);
  const auto c = check.contiguous<std::int64_t>("counts", counts, {search.queries}, Access::write);
  check.disjoint("counts", c, "offsets", o);
  check.disjoint("keys", room, "counts", c);
  const ReleaseGil release(1e3 * static_cast<double>(search.queries));
  kernels().within({search, o.data, room.data, c.data});
}

}  // namespace

void register_multi_index(py::module_& module) {
  module.def("multi_index_build", &build);
  module.def("multi_index_nearest", &nearest);
  module.def("multi_index_within", &within);
}

}  // namespace ictus::bindings
