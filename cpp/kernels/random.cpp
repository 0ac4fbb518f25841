// Arrays of random numbers: uniform, normal, Bernoulli.
#include "ictus/random.h"

#include "kernels/detail/blocks.h"
#include "kernels/detail/random.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Calls body(draw, value) with what to draw and with value(draw, p), the number that comes of it.
template <class T, class Body>
void with_distribution(const RandomArguments<T>& a, const Body& body) {
  using V = Vector<T>;
  const Source source(a.seed, a.stream);
  switch (a.distribution) {
    case Distribution::uniform:
      return body(Uniform<T>{source}, [](V u, const auto&) { return u; });
    case Distribution::normal:
      return body(Normal<T>{source}, [](V z, const auto&) { return z; });
    case Distribution::bernoulli:
      return body(Uniform<T>{source}, [](V u, const auto& p) { return bernoulli<T>(u, p()); });
  }
}

template <class T>
void fill_matrix(const RandomArguments<T>& a) noexcept {
  with_distribution(a, [&](const auto& draw, auto value) {
    parallel_blocks(a.rows, a.columns, [&](auto row, auto rows, auto column, auto columns) {
      for_draws<T>(row + a.first_row, rows, column, columns, draw,
                   [&](auto i, auto j, Vector<T> random, auto read, auto write) {
                     const auto p = [&] {
                       return read(a.p + (row + i) * a.p_row_stride + column + j);
                     };
                     write(a.out + (row + i) * a.out_row_stride + column + j, value(random, p));
                   });
    });
  });
}

// 64 elements are four rows of 16 columns.
constexpr std::int64_t kFlatBlock = 64;
constexpr std::int64_t kFlatColumns = 16;

template <class T>
void fill_flat(const RandomArguments<T>& a) noexcept {
  static_assert(kFlatColumns % kLanes<T> == 0);
  with_distribution(a, [&](const auto& draw, auto value) {
    parallel_ranges(a.columns, kElementsPerChunk, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t block = begin / kFlatBlock; block * kFlatBlock < end; ++block) {
        for (std::int64_t column = 0; column < kFlatColumns; column += kLanes<T>) {
          const FourRows<T> random = draw(block * kFlatColumns + column, 0);
          for (int i = 0; i < 4; ++i) {
            const std::int64_t e = block * kFlatBlock + i * kFlatColumns + column;
            if (e >= end) break;
            if (e + kLanes<T> <= end) {
              store<T>(a.out + e, value(random.row[i], [&] { return load<T>(a.p + e); }));
            } else {
              const int left = static_cast<int>(end - e);
              store_partial<T>(a.out + e,
                               value(random.row[i], [&] { return load_partial<T>(a.p + e, left); }),
                               left);
            }
          }
        }
      }
    });
  });
}

}  // namespace

extern const RandomKernels<float> random_float;
extern const RandomKernels<double> random_double;
const RandomKernels<float> random_float = {fill_matrix<float>, fill_flat<float>};
const RandomKernels<double> random_double = {fill_matrix<double>, fill_flat<double>};

}  // namespace ictus::ICTUS_LEVEL
