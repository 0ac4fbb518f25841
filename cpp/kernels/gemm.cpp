// Placeholder tile loop: correct, to be replaced by the blocked product.
#include "ictus/gemm.h"

#include "kernels/detail/epilogue.h"
#include "kernels/detail/parallel.h"
#include "kernels/detail/simd.h"

namespace ictus::ICTUS_LEVEL {
namespace {

template <class T>
void multiply(const GemmArguments<T>& g) noexcept {
  parallel_ranges(g.rows, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t j = 0; j < g.columns; ++j) {
        T sum = 0;
        for (std::int64_t p = 0; p < g.inner; ++p) {
          sum += g.a[i * g.a_row_stride + p * g.a_column_stride] *
                 g.b[p * g.b_row_stride + j * g.b_column_stride];
        }
        T& c = g.c[i * g.c_row_stride + j];
        c = g.alpha * sum + (g.beta == T(0) ? T(0) : g.beta * c);
      }
    }
    if (g.epilogue != nullptr) {
      apply_epilogue<T>(*g.epilogue, g.c + begin * g.c_row_stride, g.c_row_stride, begin, 0,
                        static_cast<int>(end - begin), static_cast<int>(g.columns));
    }
  });
}

template <class T>
std::int64_t packed_b_elements(std::int64_t inner, std::int64_t columns) noexcept {
  return inner * columns;
}

template <class T>
void pack_b(const T* b, std::int64_t inner, std::int64_t columns, std::int64_t row_stride,
            std::int64_t column_stride, T* packed) noexcept {
  for (std::int64_t p = 0; p < inner; ++p)
    for (std::int64_t j = 0; j < columns; ++j)
      packed[p * columns + j] = b[p * row_stride + j * column_stride];
}

}  // namespace

extern const GemmKernels<float> gemm_float;
extern const GemmKernels<double> gemm_double;
const GemmKernels<float> gemm_float = {multiply<float>, packed_b_elements<float>, pack_b<float>};
const GemmKernels<double> gemm_double = {multiply<double>, packed_b_elements<double>, pack_b<double>};

}  // namespace ictus::ICTUS_LEVEL
