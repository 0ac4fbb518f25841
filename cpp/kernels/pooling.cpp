// Maximum and average over windows of images (ictus/pooling.h).
//
// A vector holds channels of one pixel. Where there are fewer channels than lanes, whole vectors
// are read and written all the same: what lies beyond the channels belongs to the next pixel, which
// is written afterwards.
#include "ictus/pooling.h"

#include "kernels/detail/parallel.h"
#include "kernels/detail/rows.h"

namespace ictus::ICTUS_LEVEL {
namespace {

constexpr std::int64_t kChunk = 1 << 15;  // elements read by a chunk: some 10 us

// What the window at a place sees of one axis: its elements [first, last), from the pixel `start`.
struct Seen {
  std::int64_t start, first, last;
};

inline Seen seen(const WindowAxis& axis, std::int64_t place) {
  const std::int64_t start = place * axis.stride - axis.padding;
  Seen s = {start, 0, axis.elements};
  if (start < 0) s.first = (axis.dilation - 1 - start) / axis.dilation;
  if (start + (axis.elements - 1) * axis.dilation >= axis.size) {
    const std::int64_t room = axis.size - start;
    s.last = room > 0 ? (room + axis.dilation - 1) / axis.dilation : 0;
  }
  return s;
}

// Calls body(down, across, x_row, y_at, access) for each place and vector of channels, in the order
// of memory; x_row is where channel c of the image's pixels (row, 0) begins.
template <class T, class Body>
void for_places(const PoolingShape& s, const Body& body) {
  const std::int64_t line = s.across.places * s.channels;
  const std::int64_t reads = line * s.down.elements * s.across.elements;
  const std::int64_t image = s.down.size * s.across.size * s.channels;
  const std::int64_t x_size = s.batch * image;
  parallel_ranges(
      s.batch * s.down.places, 1 + kChunk / (reads + 1), [&](std::int64_t begin, std::int64_t end) {
        std::int64_t y_at = begin * line;
        for (std::int64_t row = begin; row < end; ++row) {
          const Seen down = seen(s.down, row % s.down.places);
          const std::int64_t from = row / s.down.places * image;
          const std::int64_t lowest =
              from + (down.start + (down.last - 1) * s.down.dilation) * s.across.size * s.channels;
          for (std::int64_t j = 0; j < s.across.places; ++j, y_at += s.channels) {
            const Seen across = seen(s.across, j);
            const std::int64_t last_pixel =
                lowest + (across.start + (across.last - 1) * s.across.dilation) * s.channels;
            for (std::int64_t c = 0; c < s.channels; c += kLanes<T>) {
              if (c + kLanes<T> <= s.channels ||
                  (last_pixel + c + kLanes<T> <= x_size && y_at + c + kLanes<T> <= end * line)) {
                body(down, across, from + c, y_at + c, Whole<T>{});
              } else {
                body(down, across, from + c, y_at + c,
                     Partial<T>{static_cast<int>(s.channels - c)});
              }
            }
          }
        }
      });
}

// Calls step(element, offset) for each element of a window that sees a pixel, in order.
template <class Step>
inline void for_elements(const PoolingShape& s, const Seen& down, const Seen& across,
                         const Step& step) {
  const std::int64_t row_step = s.down.dilation * s.across.size * s.channels;
  const std::int64_t pixel_step = s.across.dilation * s.channels;
  const std::int64_t corner = (down.start * s.across.size + across.start) * s.channels;
  for (std::int64_t a = down.first; a < down.last; ++a) {
    for (std::int64_t b = across.first; b < across.last; ++b) {
      step(a * s.across.elements + b, corner + a * row_step + b * pixel_step);
    }
  }
}

// Vectors of element numbers are read and written as the scalar's bits.
template <class T>
inline const T* as_scalars(const WindowElement<T>* p) {
  return reinterpret_cast<const T*>(p);
}
template <class T>
inline T* as_scalars(WindowElement<T>* p) {
  return reinterpret_cast<T*>(p);
}

template <class T, bool record>
void maximum_of(const Pooling<T>& a) {
  using I = typename BitsOf<T>::Signed;
  for_places<T>(
      a.shape, [&](const Seen& down, const Seen& across, auto from, auto to, auto access) {
        const T* const x = a.x + from;
        Vector<T> best = broadcast<T>(-static_cast<T>(__builtin_inf()));
        const auto first = static_cast<I>(down.first * a.shape.across.elements + across.first);
        SignedVector<T> argmax = broadcast<I>(first);
        for_elements(a.shape, down, across, [&](std::int64_t element, std::int64_t at) {
          const Vector<T> v = access.read(x + at);
          const SignedVector<T> better = (v > best) | (v != v);
          best = select<T>(better, v, best);
          if constexpr (record) argmax = better ? broadcast<I>(static_cast<I>(element)) : argmax;
        });
        access.write(a.y + to, best);
        if constexpr (record) {
          access.write(as_scalars<T>(a.argmax + to), bits_as<Vector<T>>(argmax));
        }
      });
}

template <class T>
void maximum_pooling(const Pooling<T>& a) noexcept {
  if (a.argmax == nullptr) {
    maximum_of<T, false>(a);
  } else {
    maximum_of<T, true>(a);
  }
}

template <class T>
void maximum_tangent(const Pooling<T>& a) noexcept {
  using I = typename BitsOf<T>::Signed;
  for_places<T>(
      a.shape, [&](const Seen& down, const Seen& across, auto from, auto to, auto access) {
        const auto argmax = bits_as<SignedVector<T>>(access.read(as_scalars<T>(a.argmax + to)));
        Vector<T> out = {};
        for_elements(a.shape, down, across, [&](std::int64_t element, std::int64_t at) {
          out = select<T>(argmax == broadcast<I>(static_cast<I>(element)),
                          access.read(a.x + from + at), out);
        });
        access.write(a.y + to, out);
      });
}

template <class T>
void average_pooling(const Pooling<T>& a) noexcept {
  for_places<T>(
      a.shape, [&](const Seen& down, const Seen& across, auto from, auto to, auto access) {
        Vector<T> sum = {};
        for_elements(a.shape, down, across,
                     [&](std::int64_t, std::int64_t at) { sum += access.read(a.x + from + at); });
        const std::int64_t count = (down.last - down.first) * (across.last - across.first);
        access.write(a.y + to, sum / static_cast<T>(count));
      });
}

// x_gradient(pixel) = sum of value(y_at, element, count, access) over the places and elements that
// see it, `count` the pixels which that window sees. Each row of pixels is one thread's.
template <class T, class Value>
void spread(const PoolingBackward<T>& a, const Value& value) {
  using I = typename BitsOf<T>::Signed;
  const PoolingShape& s = a.shape;
  const std::int64_t line = s.across.size * s.channels;
  const std::int64_t y_line = s.across.places * s.channels;
  const std::int64_t y_size = s.batch * s.down.places * y_line;
  const auto add = [&](std::int64_t h, std::int64_t n, std::int64_t e, std::int64_t x_end) {
    const std::int64_t reach = h + s.down.padding - e * s.down.dilation;
    if (reach < 0 || reach % s.down.stride != 0 || reach / s.down.stride >= s.down.places) return;
    const std::int64_t i = reach / s.down.stride;
    const Seen down = seen(s.down, i);
    for (std::int64_t j = 0; j < s.across.places; ++j) {
      const Seen across = seen(s.across, j);
      const std::int64_t count = (down.last - down.first) * (across.last - across.first);
      const std::int64_t y_at = (n * s.down.places + i) * y_line + j * s.channels;
      for (std::int64_t b = across.first; b < across.last; ++b) {
        const std::int64_t pixel = across.start + b * s.across.dilation;
        const std::int64_t at = (n * s.down.size + h) * line + pixel * s.channels;
        const std::int64_t element = e * s.across.elements + b;
        for (std::int64_t c = 0; c < s.channels; c += kLanes<T>) {
          const auto left = static_cast<I>(s.channels - c < kLanes<T> ? s.channels - c : kLanes<T>);
          T* const out = a.x_gradient + at + c;
          if (y_at + c + kLanes<T> <= y_size && at + c + kLanes<T> <= x_end) {
            const SignedVector<T> own = lane_numbers<I>() < broadcast<I>(left);
            const Vector<T> v = value(y_at + c, element, count, Whole<T>{});
            store<T>(out, load<T>(out) + select<T>(own, v, Vector<T>{}));
          } else {
            const Partial<T> access = {static_cast<int>(left)};
            access.write(out, access.read(out) + value(y_at + c, element, count, access));
          }
        }
      }
    }
  };
  parallel_ranges(s.batch * s.down.size, 1 + kChunk / (line * s.across.elements + 1),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin * line; i < end * line; ++i) a.x_gradient[i] = 0;
                    for (std::int64_t row = begin; row < end; ++row) {
                      for (std::int64_t e = 0; e < s.down.elements; ++e) {
                        add(row % s.down.size, row / s.down.size, e, end * line);
                      }
                    }
                  });
}

template <class T>
void maximum_backward(const PoolingBackward<T>& a) noexcept {
  using I = typename BitsOf<T>::Signed;
  spread(a, [&](std::int64_t at, std::int64_t element, std::int64_t, auto access) {
    const auto argmax = bits_as<SignedVector<T>>(access.read(as_scalars<T>(a.argmax + at)));
    const SignedVector<T> here = argmax == broadcast<I>(static_cast<I>(element));
    return select<T>(here, access.read(a.y_gradient + at), Vector<T>{});
  });
}

template <class T>
void average_backward(const PoolingBackward<T>& a) noexcept {
  spread(a, [&](std::int64_t at, std::int64_t, std::int64_t count, auto access) {
    return access.read(a.y_gradient + at) / static_cast<T>(count);
  });
}

}  // namespace

extern const PoolingKernels<float> pooling_float;
extern const PoolingKernels<double> pooling_double;
const PoolingKernels<float> pooling_float = {maximum_pooling<float>, maximum_backward<float>,
                                             maximum_tangent<float>, average_pooling<float>,
                                             average_backward<float>};
const PoolingKernels<double> pooling_double = {maximum_pooling<double>, maximum_backward<double>,
                                               maximum_tangent<double>, average_pooling<double>,
                                               average_backward<double>};

}  // namespace ictus::ICTUS_LEVEL
