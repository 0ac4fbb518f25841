// Sums, softmax and log-sum-exp over matrices (ictus/reduction.h).
#include "ictus/reduction.h"

#include "kernels/detail/parallel.h"
#include "kernels/detail/rows.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr std::int64_t kChunk = 1 << 15;  // elements: some 10 us

// How many rows make a chunk.
inline std::int64_t rows_in_chunk(std::int64_t columns) { return 1 + kChunk / (columns + 1); }

template <class T>
void column_sums(const ReductionArguments<T>& a) noexcept {
  // Four vectors side by side: four independent sums hide the latency of addition.
  constexpr std::int64_t kStrip = 4 * kLanes<T>;
  const std::int64_t strips = 1 + kChunk / (kStrip * (a.rows + 1));
  parallel_ranges(a.columns, strips * kStrip, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t j = begin;
    for (; j + kStrip <= end; j += kStrip) {
      Vector<T> sum[4] = {};
      const T* x = a.x + j;
      for (std::int64_t i = 0; i < a.rows; ++i, x += a.x_row_stride) {
        for (int k = 0; k < 4; ++k) sum[k] += load<T>(x + k * kLanes<T>);
      }
      for (int k = 0; k < 4; ++k) store<T>(a.out + j + k * kLanes<T>, sum[k]);
    }
    for_vectors<T>(j, end, [&](std::int64_t column, auto access) {
      Vector<T> sum = {};
      const T* x = a.x + column;
      for (std::int64_t i = 0; i < a.rows; ++i, x += a.x_row_stride) sum += access.read(x);
      access.write(a.out + column, sum);
    });
  });
}

template <class T, class Row>
inline void for_rows(const ReductionArguments<T>& a, const Row& row) {
  parallel_ranges(a.rows, rows_in_chunk(a.columns), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) row(i, a.x + i * a.x_row_stride);
  });
}

template <class T>
void row_sums(const ReductionArguments<T>& a) noexcept {
  for_rows(a, [&](std::int64_t i, const T* x) {
    Vector<T> sum = {};
    for_vectors<T>(0, a.columns, [&](std::int64_t j, auto access) { sum += access.read(x + j); });
    a.out[i] = horizontal_sum<T>(sum);
  });
}

template <class T>
void log_sum_exp(const ReductionArguments<T>& a) noexcept {
  for_rows(a, [&](std::int64_t i, const T* x) {
    const T shift = row_shift(x, a.columns);
    a.out[i] = shift + scalar_log(sum_of_exponentials(x, a.columns, shift));
  });
}

template <class T>
void softmax(const ReductionArguments<T>& a) noexcept {
  for_rows(a, [&](std::int64_t i, const T* x) {
    T* const out = a.out + i * a.out_row_stride;
    const T shift = row_shift(x, a.columns);
    Vector<T> sum = {};
    for_vectors<T>(0, a.columns, [&](std::int64_t j, auto access) {
      const Vector<T> e = exp<T>(access.read(x + j) - shift);
      access.write(out + j, e);
      sum += access.keep(e, T(0));
    });
    const T factor = T(1) / horizontal_sum<T>(sum);
    for_vectors<T>(0, a.columns, [&](std::int64_t j, auto access) {
      access.write(out + j, access.read(out + j) * factor);
    });
  });
}

template <class T>
void log_softmax(const ReductionArguments<T>& a) noexcept {
  for_rows(a, [&](std::int64_t i, const T* x) {
    T* const out = a.out + i * a.out_row_stride;
    const T shift = row_shift(x, a.columns);
    const T rest = scalar_log(sum_of_exponentials(x, a.columns, shift));
    for_vectors<T>(0, a.columns, [&](std::int64_t j, auto access) {
      access.write(out + j, (access.read(x + j) - shift) - rest);
    });
  });
}

// As many doubles at every level, so that the order of a sum is the same.
constexpr int kDoubles = 8;
using Doubles __attribute__((vector_size(kDoubles * sizeof(double)))) = double;

template <class T>
inline Doubles load_doubles(const T* p) {
  using Given __attribute__((vector_size(kDoubles * sizeof(T)))) = T;
  Given given;
  __builtin_memcpy(&given, p, sizeof given);
  return __builtin_convertvector(given, Doubles);
}

template <class T>
double sum_of_squares(const T* x, std::int64_t size) noexcept {
  constexpr std::int64_t kParts = 64;  // a fixed number of partial sums, whatever the threads
  const std::int64_t even = (size + kParts - 1) / kParts;
  const std::int64_t part = even < kChunk ? kChunk : even;
  double partial[kParts] = {};
  parallel_ranges(size, part, [&](std::int64_t begin, std::int64_t end) {
    Doubles sum[4] = {};
    std::int64_t i = begin;
    for (; i + 4 * kDoubles <= end; i += 4 * kDoubles) {
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        const Doubles v = load_doubles(x + i + k * kDoubles);
        sum[k] += v * v;
      }
    }
    sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    for (int k = 0; i < end; ++i, k = (k + 1) % kDoubles) {
      sum[0][k] += static_cast<double>(x[i]) * x[i];
    }
    double together = 0;
    for (int k = 0; k < kDoubles; ++k) together += sum[0][k];
    partial[begin / part] = together;
  });
  double total = 0;
  for (std::int64_t p = 0; p < kParts; ++p) total += partial[p];
  return total;
}

}  // namespace

extern const ReductionKernels<float> reduction_float;
extern const ReductionKernels<double> reduction_double;
const ReductionKernels<float> reduction_float = {column_sums<float>, row_sums<float>,
                                                 log_sum_exp<float>, softmax<float>,
                                                 log_softmax<float>, sum_of_squares<float>};
const ReductionKernels<double> reduction_double = {column_sums<double>, row_sums<double>,
                                                   log_sum_exp<double>, softmax<double>,
                                                   log_softmax<double>, sum_of_squares<double>};

}  // namespace ictus::ICTUS_LEVEL
