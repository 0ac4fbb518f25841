// ictus._core: the table of contents.
#include "bindings/families.h"

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
  using namespace ictus::bindings;
  module.doc() = "Native kernels of ictus.";
  register_runtime(module);
  register_gemm(module);
  register_activation(module);
  register_batch_normalization(module);
  register_conjugate_gradient(module);
  register_convolution(module);
  register_pooling(module);
  register_pooled_convolution(module);
  register_random(module);
  register_sequences(module);
  register_gru(module);
  register_hamming(module);
  register_loss(module);
  register_mean_covariance(module);
  register_multi_index(module);
  register_lstm(module);
  register_noise(module);
  register_optimizer(module);
  register_probabilistic_pooling(module);
  register_rbm(module);
  register_recurrent(module);
  register_reduction(module);
  register_spectrogram(module);
  register_tempering(module);
  register_viterbi(module);
}
