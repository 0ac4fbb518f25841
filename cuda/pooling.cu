// Pooling of images, channels last (ictus/pooling.h), on a GPU: a thread for an element of what is
// written, neighbours for neighbouring channels, so all reads and writes of a warp are one run.
// Bound by the bytes of the images; windows that overlap read from the caches. The derivatives
// gather: a pixel sums over the windows that see it, in their order, so nothing is added
// atomically.
#include "ictus/pooling.h"

#include "elements.h"
#include "launch.h"

namespace ictus::cuda {
namespace {

constexpr int kThreads = 256;

// f(image, row, column, channel) for each element of images; the division by the channels is the
// only one of a thread.
template <class F>
__global__ void __launch_bounds__(kThreads)
    each_pixel(std::int64_t rows, int height, std::int64_t row_elements, int channels, F f) {
  const std::int64_t at = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (at >= row_elements) return;
  const std::int64_t column = at / channels;
  for (std::int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    f(row / height, static_cast<int>(row % height), static_cast<int>(column),
      static_cast<int>(at - column * channels));
  }
}

template <class F>
void over_images(std::int64_t batch, std::int64_t height, std::int64_t width, std::int64_t channels,
                 const F& f) {
  const std::int64_t rows = batch * height, row_elements = width * channels;
  if (rows == 0 || row_elements == 0) return;
  constexpr std::int64_t kMostRows = 65535;
  launch(each_pixel<F>,
         {dim3(blocks(row_elements, kThreads),
               static_cast<unsigned>(rows < kMostRows ? rows : kMostRows)),
          kThreads},
         rows, static_cast<int>(height), row_elements, static_cast<int>(channels), f);
}

// An axis in the integers of the device.
struct Axis {
  int size, places, elements, stride, dilation, padding;
  explicit Axis(const WindowAxis& a)
      : size(static_cast<int>(a.size)),
        places(static_cast<int>(a.places)),
        elements(static_cast<int>(a.elements)),
        stride(static_cast<int>(a.stride)),
        dilation(static_cast<int>(a.dilation)),
        padding(static_cast<int>(a.padding)) {}
  // The pixel at an element of the window at a place; outside the image where it is not in
  // [0, size).
  __device__ int pixel(int place, int element) const {
    return place * stride + element * dilation - padding;
  }
  // The place from which an element of the window sees a pixel; -1 where there is none.
  __device__ int place(int pixel, int element) const {
    const int from = pixel + padding - element * dilation;
    if (from < 0 || from % stride != 0) return -1;
    return from / stride < places ? from / stride : -1;
  }
};

struct Shape {
  Axis down, across;
  int channels;
  explicit Shape(const PoolingShape& s)
      : down(s.down), across(s.across), channels(static_cast<int>(s.channels)) {}

  __device__ std::int64_t pixel(std::int64_t n, int y, int x, int c) const {
    return ((n * down.size + y) * across.size + x) * channels + c;
  }
  __device__ std::int64_t place(std::int64_t n, int i, int j, int c) const {
    return ((n * down.places + i) * across.places + j) * channels + c;
  }
  // step(element, offset) for each element of a window that sees a pixel, in order.
  template <class Step>
  __device__ void for_window(std::int64_t n, int i, int j, int c, const Step& step) const {
    for (int a = 0; a < down.elements; ++a) {
      const int y = down.pixel(i, a);
      if (y < 0 || y >= down.size) continue;
      for (int b = 0; b < across.elements; ++b) {
        const int x = across.pixel(j, b);
        if (x < 0 || x >= across.size) continue;
        step(a * across.elements + b, pixel(n, y, x, c));
      }
    }
  }
  // step(element, i, j) for each window that sees a pixel, in the order of the windows.
  template <class Step>
  __device__ void for_windows_of(int y, int x, const Step& step) const {
    for (int a = down.elements; a-- > 0;) {
      const int i = down.place(y, a);
      if (i < 0) continue;
      for (int b = across.elements; b-- > 0;) {
        const int j = across.place(x, b);
        if (j >= 0) step(a * across.elements + b, i, j);
      }
    }
  }
};

template <class T>
struct Maximum {
  Shape s;
  const T* x;
  T* y;
  WindowElement<T>* argmax;
  __device__ void operator()(std::int64_t n, int i, int j, int c) const {
    T best = -static_cast<T>(INFINITY);
    int element = -1;
    s.for_window(n, i, j, c, [&](int e, std::int64_t at) {
      const T v = x[at];
      if (element < 0 || v > best || v != v) {
        best = v;
        element = e;
      }
    });
    const std::int64_t to = s.place(n, i, j, c);
    y[to] = best;
    if (argmax != nullptr) argmax[to] = element;
  }
};

template <class T>
void maximum(const Pooling<T>& a) noexcept {
  over_images(a.shape.batch, a.shape.down.places, a.shape.across.places, a.shape.channels,
              Maximum<T>{Shape(a.shape), a.x, a.y, a.argmax});
}

template <class T>
struct MaximumTangent {
  Shape s;
  const T* x;
  T* y;
  const WindowElement<T>* argmax;
  __device__ void operator()(std::int64_t n, int i, int j, int c) const {
    const std::int64_t to = s.place(n, i, j, c);
    const int element = static_cast<int>(argmax[to]);
    const int row = element < 0 ? -1 : s.down.pixel(i, element / s.across.elements);
    const int column = element < 0 ? -1 : s.across.pixel(j, element % s.across.elements);
    const bool inside = element >= 0 && element < s.down.elements * s.across.elements && row >= 0 &&
                        row < s.down.size && column >= 0 && column < s.across.size;
    y[to] = inside ? x[s.pixel(n, row, column, c)] : T(0);
  }
};

template <class T>
void maximum_tangent(const Pooling<T>& a) noexcept {
  over_images(a.shape.batch, a.shape.down.places, a.shape.across.places, a.shape.channels,
              MaximumTangent<T>{Shape(a.shape), a.x, a.y, a.argmax});
}

template <class T>
struct MaximumBackward {
  Shape s;
  const T* y_gradient;
  const WindowElement<T>* argmax;
  T* x_gradient;
  __device__ void operator()(std::int64_t n, int y, int x, int c) const {
    T sum = T(0);
    s.for_windows_of(y, x, [&](int element, int i, int j) {
      const std::int64_t from = s.place(n, i, j, c);
      if (argmax[from] == element) sum += y_gradient[from];
    });
    x_gradient[s.pixel(n, y, x, c)] = sum;
  }
};

template <class T>
void maximum_backward(const PoolingBackward<T>& a) noexcept {
  over_images(a.shape.batch, a.shape.down.size, a.shape.across.size, a.shape.channels,
              MaximumBackward<T>{Shape(a.shape), a.y_gradient, a.argmax, a.x_gradient});
}

// How many elements of an axis's window see a pixel from a place.
__device__ int seen(const Axis& axis, int place) {
  int count = 0;
  for (int e = 0; e < axis.elements; ++e) {
    const int at = axis.pixel(place, e);
    count += at >= 0 && at < axis.size ? 1 : 0;
  }
  return count;
}

template <class T>
struct Average {
  Shape s;
  const T* x;
  T* y;
  __device__ void operator()(std::int64_t n, int i, int j, int c) const {
    T sum = T(0);
    int count = 0;
    s.for_window(n, i, j, c, [&](int, std::int64_t at) {
      sum += x[at];
      ++count;
    });
    y[s.place(n, i, j, c)] = sum / static_cast<T>(count);
  }
};

template <class T>
void average(const Pooling<T>& a) noexcept {
  over_images(a.shape.batch, a.shape.down.places, a.shape.across.places, a.shape.channels,
              Average<T>{Shape(a.shape), a.x, a.y});
}

template <class T>
struct AverageBackward {
  Shape s;
  const T* y_gradient;
  T* x_gradient;
  __device__ void operator()(std::int64_t n, int y, int x, int c) const {
    T sum = T(0);
    s.for_windows_of(y, x, [&](int, int i, int j) {
      const int count = seen(s.down, i) * seen(s.across, j);
      sum += y_gradient[s.place(n, i, j, c)] / static_cast<T>(count);
    });
    x_gradient[s.pixel(n, y, x, c)] = sum;
  }
};

template <class T>
void average_backward(const PoolingBackward<T>& a) noexcept {
  over_images(a.shape.batch, a.shape.down.size, a.shape.across.size, a.shape.channels,
              AverageBackward<T>{Shape(a.shape), a.y_gradient, a.x_gradient});
}

}  // namespace

extern const PoolingKernels<float> pooling_float;
extern const PoolingKernels<double> pooling_double;
const PoolingKernels<float> pooling_float = {maximum<float>, maximum_backward<float>,
                                             maximum_tangent<float>, average<float>,
                                             average_backward<float>};
const PoolingKernels<double> pooling_double = {maximum<double>, maximum_backward<double>,
                                               maximum_tangent<double>, average<double>,
                                               average_backward<double>};

}  // namespace ictus::cuda
