// Elementwise functions, activation derivatives, dropout, and the contractive penalty.
#include "ictus/activation.h"

#include "kernels/detail/activate.h"
#include "kernels/detail/blocks.h"
#include "kernels/detail/math.h"
#include "kernels/detail/random.h"
#include "kernels/detail/rows.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// A matrix without gaps is one long row.
template <class T>
MapArguments<T> flattened(MapArguments<T> a) {
  if (a.x_row_stride != a.columns || a.out_row_stride != a.columns) return a;
  a.columns *= a.rows;
  a.rows = 1;
  return a;
}

template <class T, class Function>
void map_with(const MapArguments<T>& given, const Function& function) {
  const MapArguments<T> a = flattened(given);
  parallel_blocks(a.rows, a.columns, [&](auto row, auto rows, auto column, auto columns) {
    for (std::int64_t i = row; i < row + rows; ++i) {
      const T* x = a.x + i * a.x_row_stride + column;
      T* out = a.out + i * a.out_row_stride + column;
      for_column_vectors<T>(
          columns, [&](auto j, auto read, auto write) { write(out + j, function(read(x + j))); });
    }
  });
}

template <class T>
void map(Elementwise function, const MapArguments<T>& a) noexcept {
  using V = Vector<T>;
  switch (function) {
    case Elementwise::exp:
      return map_with<T>(a, [](V x) { return exp<T>(x); });
    case Elementwise::log:
      return map_with<T>(a, [](V x) { return log<T>(x); });
    default:
      return with_activation(static_cast<Activation>(function), [&](auto tag) {
        map_with<T>(a, [](V x) { return activate<decltype(tag)::value, T>(x); });
      });
  }
}

template <class T>
void dropout(const DropoutArguments<T>& dropout, const MapArguments<T>& a) noexcept {
  const Uniform<T> draw = {Source(dropout.seed, dropout.stream)};
  const Dropout<T> drop(dropout.rate);
  parallel_blocks(a.rows, a.columns, [&](auto row, auto rows, auto column, auto columns) {
    const T* x = a.x + row * a.x_row_stride + column;
    T* out = a.out + row * a.out_row_stride + column;
    for_draws<T>(row + dropout.first_row, rows, column, columns, draw,
                 [&](auto i, auto j, Vector<T> u, auto read, auto write) {
                   write(out + i * a.out_row_stride + j, drop(u, read(x + i * a.x_row_stride + j)));
                 });
  });
}

// Whether an output of 0 means that the gradient is 0 too: the unit was dropped, or its slope is 0
// there. Then the outputs tell what was dropped, and nothing has to be drawn again. (tanh and the
// identity are 0 where their slope is 1.)
template <Activation A>
constexpr bool kZeroIsFlat =
    A == Activation::relu || A == Activation::sigmoid || A == Activation::softplus;

// out = grad * slope(y), element by element.
template <class T, class Slope>
void times_slope(ActivationBackwardArguments<T> a, const Slope& slope) {
  if (a.grad_row_stride == a.columns && a.y_row_stride == a.columns &&
      a.out_row_stride == a.columns) {
    a.columns *= a.rows;
    a.rows = 1;
  }
  parallel_blocks(a.rows, a.columns, [&](auto row, auto rows, auto column, auto columns) {
    for (std::int64_t i = row; i < row + rows; ++i) {
      const T* grad = a.grad + i * a.grad_row_stride + column;
      const T* y = a.y + i * a.y_row_stride + column;
      T* out = a.out + i * a.out_row_stride + column;
      for_column_vectors<T>(columns, [&](auto j, auto read, auto write) {
        write(out + j, read(grad + j) * slope(read(y + j)));
      });
    }
  });
}

template <Activation A, class T>
void backward_with_dropout(const ActivationBackwardArguments<T>& a) {
  const Uniform<T> draw = {Source(a.dropout.seed, a.dropout.stream)};
  const Dropout<T> drop(a.dropout.rate);
  const T kept = T(1) - a.dropout.rate;
  parallel_blocks(a.rows, a.columns, [&](auto row, auto rows, auto column, auto columns) {
    const T* grad = a.grad + row * a.grad_row_stride + column;
    const T* y = a.y + row * a.y_row_stride + column;
    T* out = a.out + row * a.out_row_stride + column;
    for_draws<T>(row + a.dropout.first_row, rows, column, columns, draw,
                 [&](auto i, auto j, Vector<T> u, auto read, auto write) {
                   const Vector<T> f = read(y + i * a.y_row_stride + j) * kept;
                   const Vector<T> slope = derivative_from_output<A, T>(f);
                   const Vector<T> g = read(grad + i * a.grad_row_stride + j);
                   write(out + i * a.out_row_stride + j, drop(u, g * slope));
                 });
  });
}

template <class T>
void backward(Activation activation, const ActivationBackwardArguments<T>& a) noexcept {
  with_activation(activation, [&](auto tag) {
    constexpr Activation f = decltype(tag)::value;
    if (a.dropout.rate == T(0)) {
      times_slope<T>(a, [](Vector<T> y) { return derivative_from_output<f, T>(y); });
    } else if constexpr (kZeroIsFlat<f>) {
      const T kept = T(1) - a.dropout.rate;
      const T scale = T(1) / kept;
      times_slope<T>(a, [kept, scale](Vector<T> y) {
        const Vector<T> slope = derivative_from_output<f, T>(y * kept) * scale;
        return select<T>(y == Vector<T>{}, Vector<T>{}, slope);
      });
    } else {
      backward_with_dropout<f, T>(a);
    }
  });
}

template <class T>
void squared_slopes(Activation activation, const ContractionArguments<T>& a) noexcept {
  // Each column is summed by one thread, over the rows in order.
  constexpr std::int64_t kStrip = 4 * kLanes<T>;
  const std::int64_t strips = 1 + kElementsPerChunk / (kStrip * (a.rows + 1));
  with_activation(activation, [&](auto tag) {
    constexpr Activation f = decltype(tag)::value;
    parallel_ranges(a.columns, strips * kStrip, [&](std::int64_t begin, std::int64_t end) {
      for_vectors<T>(begin, end, [&](std::int64_t j, auto access) {
        Vector<T> sum = {};
        const T* y = a.y + j;
        for (std::int64_t i = 0; i < a.rows; ++i, y += a.y_row_stride) {
          const Vector<T> slope = derivative_from_output<f, T>(access.read(y));
          sum += slope * slope;
        }
        access.write(a.out + j, sum);
      });
    });
  });
}

template <class T>
void add_contraction(Activation activation, const ContractionArguments<T>& a) noexcept {
  with_activation(activation, [&](auto tag) {
    constexpr Activation f = decltype(tag)::value;
    parallel_blocks(a.rows, a.columns, [&](auto row, auto rows, auto column, auto columns) {
      for (std::int64_t i = row; i < row + rows; ++i) {
        const T* y = a.y + i * a.y_row_stride + column;
        T* out = a.out + i * a.out_row_stride + column;
        for_column_vectors<T>(columns, [&](auto j, auto read, auto write) {
          const Vector<T> value = read(y + j);
          const Vector<T> slope = derivative_from_output<f, T>(value);
          const Vector<T> product = slope * curvature_from_output<f, T>(value, slope);
          write(out + j, read(out + j) + T(2) * read(a.factors + column + j) * product);
        });
      }
    });
  });
}

}  // namespace

extern const ActivationKernels<float> activation_float;
extern const ActivationKernels<double> activation_double;
const ActivationKernels<float> activation_float = {map<float>, backward<float>, dropout<float>,
                                                   squared_slopes<float>, add_contraction<float>};
const ActivationKernels<double> activation_double = {map<double>, backward<double>, dropout<double>,
                                                     squared_slopes<double>,
                                                     add_contraction<double>};

}  // namespace ictus::ICTUS_LEVEL
