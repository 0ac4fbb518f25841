// hamming_nearest, hamming_within, and how much room they need.
#include "bindings/code_arguments.h"
#include "bindings/families.h"
#include "core/tables.h"

namespace ictus::bindings {
namespace {

const HammingKernels<float>& kernels() { return *tables<float>().hamming; }

HammingScan scan_of(const Check& check, py::handle codes, py::handle queries, py::handle removed,
                    std::int64_t radius) {
  const CodeView c = code_view(check, "codes", codes, kAny);
  const std::int64_t words = c.shape[1];
  const CodeView q = code_view(check, "queries", queries, words);
  return {c.shape[0],
          q.shape[0],
          words,
          c.data,
          q.data,
          removed_bits(check, removed, c.shape[0]),
          checked_radius(check, radius, words)};
}

double operations(const HammingScan& scan) {
  return static_cast<double>(scan.count) * static_cast<double>(scan.queries) *
         static_cast<double>(scan.words);
}

std::int64_t nearest_keys(std::int64_t count, std::int64_t queries, std::int64_t k) {
  return kernels().nearest_keys(count, queries, k);
}

void nearest(py::handle codes, py::handle queries, std::int64_t k, std::int64_t radius,
             py::handle removed, py::handle keys, py::handle distances, py::handle numbers) {
  const Check check("hamming_nearest");
  const HammingScan scan = scan_of(check, codes, queries, removed, radius);
  check.require(k >= 1 && k < kMaxCodes, "k", "at least 1 and less than 2^40",
                static_cast<double>(k));
  const auto room = check.contiguous<std::uint64_t>("keys", keys, {kAny}, Access::write);
  const std::int64_t needed = kernels().nearest_keys(scan.count, scan.queries, k);
  check.require(room.shape[0] >= needed, "keys", "as many as hamming_nearest_keys says",
                static_cast<double>(room.shape[0]));
  const auto d =
      check.contiguous<std::int32_t>("distances", distances, {scan.queries, k}, Access::write);
  const auto n =
      check.contiguous<std::int64_t>("numbers", numbers, {scan.queries, k}, Access::write);
  check.disjoint("distances", d, "numbers", n);
  check.disjoint("keys", room, "distances", d);
  check.disjoint("keys", room, "numbers", n);
  {
    const ReleaseGil release(operations(scan));
    kernels().nearest({scan, k, room.data, d.data, n.data});
  }
  check.finish();
}

std::int64_t within_parts(std::int64_t count, std::int64_t queries) {
  return kernels().within_parts(count, queries);
}

void within(py::handle codes, py::handle queries, std::int64_t radius, py::handle removed,
            py::handle offsets, py::handle keys, py::handle counts) {
  const Check check("hamming_within");
  const HammingScan scan = scan_of(check, codes, queries, removed, radius);
  const std::int64_t parts = kernels().within_parts(scan.count, scan.queries);
  const auto o =
      check.contiguous<const std::int64_t>("offsets", offsets, {scan.queries * parts + 1});
  const auto room = check.contiguous<std::uint64_t>("keys", keys, {kAny}, Access::write);
  check_offsets(check, check.on_host<std::int64_t>("offsets", offsets, {scan.queries * parts + 1}),
                room.shape[0]);
  const auto c =
      check.contiguous<std::int64_t>("counts", counts, {scan.queries, parts}, Access::write);
  check.disjoint("counts", c, "offsets", o);
  check.disjoint("keys", room, "counts", c);
  {
    const ReleaseGil release(operations(scan));
    kernels().within({scan, parts, o.data, room.data, c.data});
  }
  check.finish();
}

}  // namespace

void register_hamming(py::module_& module) {
  module.def("hamming_nearest_keys", &nearest_keys);
  module.def("hamming_nearest", &nearest);
  module.def("hamming_within_parts", &within_parts);
  module.def("hamming_within", &within);
}

}  // namespace ictus::bindings
