// The arguments that all searches in binary codes share.
#pragma once

#include "bindings/arguments.h"
#include "ictus/hamming.h"

namespace ictus::bindings {

using CodeView = View<const std::uint64_t>;

// Codes or queries: (rows, words); words kAny for the first of a call.
inline CodeView code_view(const Check& check, const char* name, py::handle object,
                          std::int64_t words) {
  const CodeView v = check.contiguous<const std::uint64_t>(name, object, {kAny, words});
  check.require(v.shape[1] >= 1 && v.shape[1] <= kMaxCodeWords, name, "of 1 to 512 words a code",
                static_cast<double>(v.shape[1]));
  check.require(v.shape[0] < kMaxCodes, name, "of less than 2^40 rows",
                static_cast<double>(v.shape[0]));
  return v;
}

// The bits of the codes that are not there, or None.
inline const std::uint8_t* removed_bits(const Check& check, py::handle removed,
                                        std::int64_t count) {
  if (Check::absent(removed)) return nullptr;
  return check.contiguous<const std::uint8_t>("removed", removed, {(count + 7) / 8}).data;
}

// No two codes differ in more bits than they have.
inline std::int64_t checked_radius(const Check& check, std::int64_t radius, std::int64_t words) {
  check.require(radius >= 0, "radius", "at least 0", static_cast<double>(radius));
  return radius < words * 64 ? radius : words * 64;
}

// Checks that each query's room in the keys lies within them.
inline void check_offsets(const Check& check, const View<const std::int64_t>& offsets,
                          std::int64_t keys) {
  for (std::int64_t i = 0; i + 1 < offsets.shape[0]; ++i) {
    const std::int64_t from = offsets.data[i], to = offsets.data[i + 1];
    check.require(from >= 0 && from <= to && to <= keys, "offsets", "ascending, within the keys",
                  static_cast<double>(to));
  }
}

}  // namespace ictus::bindings
