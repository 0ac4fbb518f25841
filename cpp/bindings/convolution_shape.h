// What the bindings of convolution and of its stage with pooling check and estimate alike.
#pragma once

#include "bindings/arguments.h"
#include "ictus/convolution.h"

namespace ictus::bindings {

// Weights (elements down, elements across, channels a group, outputs) must fit the groups.
template <class W>
void check_groups(const Check& check, std::int64_t groups, std::int64_t channels,
                  std::int64_t outputs, const char* weights_name, const View<W>& w) {
  check.require(channels % groups == 0, "groups", "a divisor of the channels of x",
                static_cast<double>(groups));
  check.require(outputs % groups == 0, "groups", "a divisor of the outputs",
                static_cast<double>(groups));
  if (w.shape[2] != channels / groups || w.shape[3] != outputs || w.shape[0] < 1 ||
      w.shape[1] < 1) {
    const std::int64_t wanted[] = {kAny, kAny, channels / groups, outputs};
    check.value_error(weights_name, "must have shape " + shape_text(wanted, 4) +
                                        " of at least one element, got " + shape_text(w.shape, 4));
  }
}

// Products of two numbers in a pass.
inline double work(const ConvolutionShape& s) {
  return static_cast<double>(s.batch * s.down.places * s.across.places) *
         static_cast<double>(s.down.elements * s.across.elements * s.channels / s.groups) *
         static_cast<double>(s.outputs);
}

}  // namespace ictus::bindings
