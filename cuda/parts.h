// Sums over a long vector: parts that the length alone decides, each summed by a block in a fixed
// order, in double; the host adds the parts.
#pragma once

#include "elements.h"
#include "launch.h"

namespace ictus::cuda {

constexpr int kPartThreads = 256;
constexpr int kMostParts = 512;

// partial[kSums p + s] = the sum s of what f(i, sums) adds over the elements i of part p.
template <int kSums, class F>
__global__ void __launch_bounds__(kPartThreads)
    each_part(std::int64_t size, std::int64_t part, double* partial, F f) {
  __shared__ double room[kPartThreads / kWarpSize];
  double sums[kSums] = {};
  const std::int64_t begin = blockIdx.x * part;
  const std::int64_t end = begin + part < size ? begin + part : size;
  for (std::int64_t i = begin + threadIdx.x; i < end; i += kPartThreads) f(i, sums);
  for (int s = 0; s < kSums; ++s) {
    const double total = block_sum<kPartThreads>(sums[s], room);
    if (threadIdx.x == 0) partial[kSums * blockIdx.x + s] = total;
  }
}

// Runs f(i, sums) for every i, once, and adds up the sums. Waits.
template <int kSums, class F>
void sum_parts(std::int64_t size, const F& f, double* totals) {
  for (int s = 0; s < kSums; ++s) totals[s] = 0;
  if (size == 0) return;
  auto* partial = static_cast<double*>(scratch());
  if (partial == nullptr) return;
  constexpr std::int64_t kLeast = 4 * kPartThreads;
  const std::int64_t even = (size + kMostParts - 1) / kMostParts;
  const std::int64_t part = even < kLeast ? kLeast : even;
  const unsigned parts = blocks(size, part);
  launch(each_part<kSums, F>, {parts, kPartThreads}, size, part, partial, f);
  double sums[kSums * kMostParts] = {};
  fetch(sums, partial, parts * kSums * sizeof(double));
  for (unsigned p = 0; p < parts; ++p) {
    for (int s = 0; s < kSums; ++s) totals[s] += sums[kSums * p + s];
  }
}

}  // namespace ictus::cuda
