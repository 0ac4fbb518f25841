// ictus._cuda: the native module for a GPU, with the names and messages of ictus._core.
#include <cuda_runtime.h>

#include "arguments.h"
#include "gemm.h"
#include "launch.h"

namespace ictus::cuda {
namespace {

int device_count() {
  int count = 0;
  check(cudaGetDeviceCount(&count), "counting devices");
  return count;
}

template <class T>
void gemm_of(const DeviceArray& a, const DeviceArray& b, const DeviceArray& out, double alpha,
             double beta, const std::optional<DeviceArray>& bias, const Epilogue<double>& options,
             std::uintptr_t stream) {
  Epilogue<T> epilogue;
  epilogue.bias = bias ? reinterpret_cast<const T*>(bias->data) : nullptr;
  epilogue.activation = options.activation;
  epilogue.dropout_rate = static_cast<T>(options.dropout_rate);
  epilogue.sampling = options.sampling;
  epilogue.seed = options.seed;
  epilogue.stream = options.stream;
  epilogue.first_row = options.first_row;
  const GemmArguments<T> arguments = {a.shape[0],
                                      b.shape[1],
                                      alpha == 0 ? 0 : a.shape[1],
                                      static_cast<T>(alpha),
                                      reinterpret_cast<const T*>(a.data),
                                      a.stride[0],
                                      a.stride[1],
                                      reinterpret_cast<const T*>(b.data),
                                      b.stride[0],
                                      b.stride[1],
                                      nullptr,
                                      static_cast<T>(beta),
                                      reinterpret_cast<T*>(out.data),
                                      out.stride[0],
                                      nullptr};
  multiply(arguments, epilogue, reinterpret_cast<cudaStream_t>(stream));
}

void gemm(py::object a, py::object b, py::object out, double alpha, double beta, py::object bias,
          int activation, double dropout_rate, int sampling, std::uint64_t seed,
          std::uint64_t draw_stream, std::int64_t first_row, std::uintptr_t cuda_stream) {
  const DeviceArray left = device_array("a", a, {-1, -1}, "");
  const DeviceArray right = device_array("b", b, {left.shape[1], -1}, left.type);
  const DeviceArray result = device_array("out", out, {left.shape[0], right.shape[1]}, left.type);
  if (result.read_only) throw py::value_error("gemm: out must be writeable, got a read-only array");
  if (result.shape[1] > 1 && result.stride[1] != 1) {
    throw py::value_error("gemm: out must have contiguous rows, got strides " +
                          shape_text(result.stride) + " (in items)");
  }
  std::optional<DeviceArray> biases;
  if (!bias.is_none()) biases = device_array("bias", bias, {right.shape[1]}, left.type);
  if (!(dropout_rate >= 0 && dropout_rate < 1)) {
    throw py::value_error("gemm: dropout_rate must be in [0, 1), got " +
                          std::to_string(dropout_rate));
  }
  Epilogue<double> options;
  options.activation = static_cast<Activation>(activation);
  options.dropout_rate = dropout_rate;
  options.sampling = static_cast<Sampling>(sampling);
  options.seed = seed;
  options.stream = draw_stream;
  options.first_row = first_row;
  const auto run = left.type == "<f4" ? gemm_of<float> : gemm_of<double>;
  run(left, right, result, alpha, beta, biases, options, cuda_stream);
}

}  // namespace
}  // namespace ictus::cuda

PYBIND11_MODULE(_cuda, module) {
  module.doc() = "Native kernels of ictus for a GPU.";
  module.def("device_count", &ictus::cuda::device_count);
  module.def("gemm", &ictus::cuda::gemm);
}
