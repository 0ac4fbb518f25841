// What a window sees as it moves over images: a matrix that a matrix product can read without its
// ever being in memory.
//
// Row ((n, i), j) is the place (i, j) of the window on image n; column ((a, b), c) is channel c at
// the window's element (a, b):
//
//     value = image(n, i * stride + a * dilation - padding, .., c)
//
// for each of the two axes; zero outside the image.
#pragma once

#include <cstdint>

namespace ictus {

// One axis of images: down, or across.
struct WindowAxis {
  std::int64_t size;      // of the image
  std::int64_t places;    // of the window
  std::int64_t elements;  // of the window
  std::int64_t stride, dilation;
  std::int64_t padding;  // zeros before the image; may be negative
};

template <class T>
struct Windows {
  const T* images;
  std::int64_t batch;
  WindowAxis down, across;
  std::int64_t channels;       // that the window sees, contiguous
  std::int64_t pixel_stride;   // elements from pixel to pixel, at least `channels`; rows and images
                               // follow without gaps
  std::int64_t first_row = 0;  // rows before it are left out
};

}  // namespace ictus
