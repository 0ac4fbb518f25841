// Batch normalization, its gradient and its R-operator (ictus/batch_normalization.h).
//
// Backward and tangent share one linear map of what comes in, v, with the sums over the rows
//     s = sum v,  t = sum v * n,  n = (x - mean) * r:
//     scale * r * (v - s / rows - n * t / rows) = a * v + b * (x - mean) + c,
// which is its own transpose up to the factor of each channel.
#include "ictus/batch_normalization.h"

#include "kernels/detail/activate.h"
#include "kernels/detail/folded_rows.h"

namespace ictus::ICTUS_LEVEL {
namespace {

// Folded rows of what the passes know of each channel.
constexpr std::int64_t kTiles = 4;

template <class T>
std::int64_t workspace(std::int64_t rows, std::int64_t channels) noexcept {
  const FoldedRows<T> f(rows, channels);
  return (2 * f.parts() + kTiles) * f.period;
}

template <class T>
struct Workspace {
  T* tiles[kTiles];
  T* sums;

  Workspace(const FoldedRows<T>& f, T* memory) : sums(memory + kTiles * f.period) {
    for (std::int64_t i = 0; i < kTiles; ++i) tiles[i] = memory + i * f.period;
  }
};

template <class T>
inline T reciprocal_root(T v) {
  return T(1) / static_cast<T>(__builtin_sqrt(static_cast<double>(v)));
}

// Mean and variance of the rows, into mean and the running ones.
template <class T>
void statistics(const BatchNormalization<T>& a, const FoldedRows<T>& f, const Workspace<T>& w) {
  const auto rows = static_cast<double>(a.rows);
  const auto move = [&](T& running, double now) {
    running += a.momentum * (static_cast<T>(now) - running);
  };
  column_sums_of<T, 1>(
      f, w.sums,
      [&](std::int64_t at, std::int64_t, auto access, Vector<T>* values) {
        values[0] = access.read(a.x + at);
      },
      [&](std::int64_t c, const double* sums) {
        a.mean[c] = static_cast<T>(sums[0] / rows);
        move(a.running_mean[c], sums[0] / rows);
      });
  f.repeat(a.mean, w.tiles[0]);
  column_sums_of<T, 1>(
      f, w.sums,
      [&](std::int64_t at, std::int64_t place, auto access, Vector<T>* values) {
        const Vector<T> d = access.read(a.x + at) - load<T>(w.tiles[0] + place);
        values[0] = d * d;
      },
      [&](std::int64_t c, const double* sums) {
        a.reciprocal_deviation[c] = reciprocal_root(static_cast<T>(sums[0] / rows) + a.epsilon);
        move(a.running_variance[c], sums[0] / (rows > 1 ? rows - 1 : rows));
      });
}

template <class T>
void forward(const BatchNormalization<T>& a) noexcept {
  const FoldedRows<T> f(a.rows, a.channels);
  const Workspace<T> w(f, a.workspace);
  if (a.training) {
    statistics(a, f, w);
  } else {
    for (std::int64_t c = 0; c < a.channels; ++c) {
      a.mean[c] = a.running_mean[c];
      a.reciprocal_deviation[c] = reciprocal_root(a.running_variance[c] + a.epsilon);
    }
  }
  f.repeat(a.mean, w.tiles[0]);
  f.repeat(a.scale, w.tiles[1]);
  f.repeat(a.reciprocal_deviation, w.tiles[2]);
  for (std::int64_t i = 0; i < f.period; ++i) w.tiles[1][i] *= w.tiles[2][i];
  f.repeat(a.shift, w.tiles[2]);
  with_activation(a.activation, [&](auto tag) {
    for_folded_vectors<T>(f, [&](std::int64_t at, std::int64_t place, auto access) {
      const Vector<T> d = access.read(a.x + at) - load<T>(w.tiles[0] + place);
      const Vector<T> z = d * load<T>(w.tiles[1] + place) + load<T>(w.tiles[2] + place);
      access.write(a.y + at, activate<decltype(tag)::value, T>(z));
    });
  });
}

// done(channel, s, t): the sums of v and of v * n. Leaves mean and r in the first two tiles.
template <class T, class Done>
void sums_with_normalized(const FoldedRows<T>& f, const Workspace<T>& w, const T* v, const T* x,
                          const T* mean, const T* r, const Done& done) {
  f.repeat(mean, w.tiles[0]);
  f.repeat(r, w.tiles[1]);
  column_sums_of<T, 2>(
      f, w.sums,
      [&](std::int64_t at, std::int64_t place, auto access, Vector<T>* values) {
        const Vector<T> d = access.read(x + at) - load<T>(w.tiles[0] + place);
        values[0] = access.read(v + at);
        values[1] = values[0] * d * load<T>(w.tiles[1] + place);
      },
      done);
}

// out = a v + b (x - mean) + c, v nullptr: zero; a, b, c in the tiles after the mean.
template <class T>
void combine(const FoldedRows<T>& f, const Workspace<T>& w, const T* v, const T* x, T* out) {
  for_folded_vectors<T>(f, [&](std::int64_t at, std::int64_t place, auto access) {
    const Vector<T> d = access.read(x + at) - load<T>(w.tiles[0] + place);
    Vector<T> sum = d * load<T>(w.tiles[2] + place) + load<T>(w.tiles[3] + place);
    if (v != nullptr) sum += access.read(v + at) * load<T>(w.tiles[1] + place);
    access.write(out + at, sum);
  });
}

// Sets a channel's numbers at all its places in a folded row.
template <class T>
void set_channel(const FoldedRows<T>& f, const Workspace<T>& w, std::int64_t c, T a, T b, T shift) {
  for (std::int64_t i = c; i < f.period; i += f.columns) {
    w.tiles[1][i] = a;
    w.tiles[2][i] = b;
    w.tiles[3][i] = shift;
  }
}

template <class T>
void backward(const BatchNormalizationBackward<T>& a) noexcept {
  const FoldedRows<T> f(a.rows, a.channels);
  const Workspace<T> w(f, a.workspace);
  const T* const r = a.reciprocal_deviation;
  const auto into = [&](T& out, double sum) {
    out = static_cast<T>(sum) + (a.beta == T(0) ? T(0) : a.beta * out);
  };
  sums_with_normalized(f, w, a.y_gradient, a.x, a.mean, r, [&](std::int64_t c, const double* sums) {
    into(a.shift_gradient[c], sums[0]);
    into(a.scale_gradient[c], sums[1]);
    const T factor = a.scale[c] * r[c];
    const auto rows = static_cast<double>(a.training ? a.rows : 1);
    const T s = a.training ? static_cast<T>(sums[0] / rows) : T(0);
    const T t = a.training ? static_cast<T>(sums[1] / rows) : T(0);
    set_channel(f, w, c, factor, -factor * r[c] * t, -factor * s);
  });
  if (a.x_gradient != nullptr) combine(f, w, a.y_gradient, a.x, a.x_gradient);
}

template <class T>
void tangent(const BatchNormalizationTangent<T>& a) noexcept {
  const FoldedRows<T> f(a.rows, a.channels);
  const Workspace<T> w(f, a.workspace);
  const T* const r = a.reciprocal_deviation;
  const auto set = [&](std::int64_t c, T s, T t) {
    const T factor = a.scale[c] * r[c];
    set_channel(f, w, c, factor, r[c] * (a.scale_dot[c] - factor * t), a.shift_dot[c] - factor * s);
  };
  if (a.training && a.x_dot != nullptr) {
    const auto rows = static_cast<double>(a.rows);
    sums_with_normalized(f, w, a.x_dot, a.x, a.mean, r, [&](std::int64_t c, const double* sums) {
      set(c, static_cast<T>(sums[0] / rows), static_cast<T>(sums[1] / rows));
    });
  } else {
    f.repeat(a.mean, w.tiles[0]);
    for (std::int64_t c = 0; c < a.channels; ++c) set(c, T(0), T(0));
  }
  combine(f, w, a.x_dot, a.x, a.y_dot);
}

template <class T>
void multiply(const ChannelFactors<T>& a) noexcept {
  const std::int64_t image = a.pixels * a.channels;
  parallel_ranges(a.images, 1 + FoldedRows<T>::kChunk / (image + 1),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t n = begin; n < end; ++n) {
                      const T* const factors = a.factors + n * a.channels;
                      for_vectors<T>(0, a.channels, [&](std::int64_t c, auto access) {
                        const Vector<T> factor = access.read(factors + c);
                        std::int64_t at = n * image + c;
                        const std::int64_t after = (n + 1) * image;
                        if (a.channels < kLanes<T>) {
                          // What a whole vector holds beyond the channels, the next pixel's does
                          // over.
                          for (; at + kLanes<T> <= after; at += a.channels) {
                            store<T>(a.y + at, load<T>(a.x + at) * factor);
                          }
                        }
                        for (; at < after; at += a.channels) {
                          access.write(a.y + at, access.read(a.x + at) * factor);
                        }
                      });
                    }
                  });
}

}  // namespace

extern const BatchNormalizationKernels<float> batch_normalization_float;
extern const BatchNormalizationKernels<double> batch_normalization_double;
const BatchNormalizationKernels<float> batch_normalization_float = {
    forward<float>, backward<float>, tangent<float>, multiply<float>, workspace<float>};
const BatchNormalizationKernels<double> batch_normalization_double = {
    forward<double>, backward<double>, tangent<double>, multiply<double>, workspace<double>};

}  // namespace ictus::ICTUS_LEVEL
