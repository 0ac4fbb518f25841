// Which elements of a flat vector are penalised: ranges that the host gives, as an argument of the
// kernel. More ranges than an argument has room for are taken in several launches, each over its
// part of the vector.
#pragma once

#include <cstdint>

namespace ictus::cuda {

constexpr int kSegments = 96;  // of 16 bytes, in the 4 KiB of a kernel's arguments

struct Segments {
  std::int64_t bound[2 * kSegments];
  int count;

  __host__ __device__ bool contain(std::int64_t i) const {
    int low = 0, high = count;  // the segments before `low` end at or before i
    while (low < high) {
      const int middle = (low + high) / 2;
      if (bound[2 * middle + 1] <= i) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low < count && bound[2 * low] <= i;
  }
};

// body(begin, end, segments) for parts that cover [0, size).
template <class Body>
void for_segments(std::int64_t size, const std::int64_t* bounds, std::int64_t count,
                  const Body& body) {
  std::int64_t at = 0, next = 0;
  do {
    Segments part;
    part.count = 0;
    while (next < count && part.count < kSegments) {
      part.bound[2 * part.count] = bounds[2 * next];
      part.bound[2 * part.count + 1] = bounds[2 * next + 1];
      ++part.count;
      ++next;
    }
    const std::int64_t end = next < count ? bounds[2 * next] : size;
    body(at, end, part);
    at = end;
  } while (at < size);
}

}  // namespace ictus::cuda
