// Convolution (ictus/convolution.h) on a GPU. Winograd's tiles are the CPU's alone: what asks for
// them is computed directly.
#include "convolution.h"

namespace ictus::cuda {
namespace {

template <class T>
void forward(const ConvolutionForward<T>& a) noexcept {
  const Epilogue<T> e = a.epilogue == nullptr ? Epilogue<T>() : *a.epilogue;
  convolve(a.shape, a.x, a.weights, a.beta, e.bias, e.activation, a.y);
}

template <class T>
void backward_data(const ConvolutionBackward<T>& a) noexcept {
  data_gradient(a.shape, a.y_gradient, a.weights, a.beta, a.x_gradient);
}

template <class T>
void backward_weights(const ConvolutionBackward<T>& a) noexcept {
  weights_gradient(a.shape, a.x, a.y_gradient, a.beta, a.weights_gradient, a.workspace);
}

std::int64_t no_workspace(const ConvolutionShape&) noexcept { return 0; }
std::int64_t weights_workspace(const ConvolutionShape& s) noexcept { return gradient_workspace(s); }

// The shapes for which the CPU has them, so that a network runs on both.
template <class T>
bool winograd_fits(const ConvolutionShape& s) noexcept {
  const auto one = [](const WindowAxis& a) { return a.stride == 1 && a.dilation == 1; };
  const std::int64_t elements = s.down.elements, most = sizeof(T) == 4 ? 2048 : 1024;
  const std::int64_t channels = s.channels / s.groups, outputs = s.outputs / s.groups;
  return one(s.down) && one(s.across) && elements == s.across.elements &&
         (elements == 3 || elements == 5) && channels >= 1 && channels <= most && outputs >= 1 &&
         outputs <= most;
}

}  // namespace

extern const ConvolutionKernels<float> convolution_float;
extern const ConvolutionKernels<double> convolution_double;
const ConvolutionKernels<float> convolution_float = {
    forward<float>, backward_data<float>, backward_weights<float>, no_workspace,
    no_workspace,   weights_workspace,    winograd_fits<float>};
const ConvolutionKernels<double> convolution_double = {
    forward<double>, backward_data<double>, backward_weights<double>, no_workspace,
    no_workspace,    weights_workspace,     winograd_fits<double>};

}  // namespace ictus::cuda
