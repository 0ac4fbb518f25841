// Corruption of matrices: masking, Gaussian, salt and pepper (ictus/noise.h).
#include "ictus/noise.h"

#include "kernels/detail/blocks.h"
#include "kernels/detail/random.h"

namespace ictus::ICTUS_LEVEL {
namespace {

template <class T, class Draw, class Function>
void corrupt_with(const NoiseArguments<T>& a, const Draw& draw, const Function& function) {
  parallel_blocks(a.rows, a.columns, [&](auto row, auto rows, auto column, auto columns) {
    const T* x = a.x + row * a.x_row_stride + column;
    T* out = a.out + row * a.out_row_stride + column;
    for_draws<T>(row + a.first_row, rows, column, columns, draw,
                 [&](auto i, auto j, Vector<T> random, auto read, auto write) {
                   write(out + i * a.out_row_stride + j,
                         function(random, read(x + i * a.x_row_stride + j)));
                 });
  });
}

template <class T>
void corrupt(const NoiseArguments<T>& a) noexcept {
  using V = Vector<T>;
  const Source source(a.seed, a.stream);
  const V level = broadcast<T>(a.level);
  switch (a.corruption) {
    case Corruption::masking:
      return corrupt_with<T>(a, Uniform<T>{source},
                             [=](V u, V x) { return select<T>(u < level, V{}, x); });
    case Corruption::gaussian:
      return corrupt_with<T>(a, Normal<T>{source}, [=](V z, V x) { return x + level * z; });
    case Corruption::salt_and_pepper: {
      const V half = broadcast<T>(a.level / 2);
      const V low = broadcast<T>(a.low);
      const V high = broadcast<T>(a.high);
      return corrupt_with<T>(a, Uniform<T>{source}, [=](V u, V x) {
        return select<T>(u < level, select<T>(u < half, low, high), x);
      });
    }
  }
}

}  // namespace

extern const NoiseKernels<float> noise_float;
extern const NoiseKernels<double> noise_double;
const NoiseKernels<float> noise_float = {corrupt<float>};
const NoiseKernels<double> noise_double = {corrupt<double>};

}  // namespace ictus::ICTUS_LEVEL
