// Each family's registration, by name; module.cpp is the table of contents.
#pragma once

#include <pybind11/pybind11.h>

namespace ictus::bindings {

void register_runtime(pybind11::module_& module);  // levels and threads
void register_sequences(pybind11::module_& module);
void register_gemm(pybind11::module_& module);
void register_activation(pybind11::module_& module);
void register_batch_normalization(pybind11::module_& module);
void register_conjugate_gradient(pybind11::module_& module);
void register_convolution(pybind11::module_& module);
void register_pooling(pybind11::module_& module);
void register_pooled_convolution(pybind11::module_& module);
void register_random(pybind11::module_& module);
void register_gru(pybind11::module_& module);
void register_hamming(pybind11::module_& module);
void register_loss(pybind11::module_& module);
void register_mean_covariance(pybind11::module_& module);
void register_multi_index(pybind11::module_& module);
void register_lstm(pybind11::module_& module);
void register_noise(pybind11::module_& module);
void register_optimizer(pybind11::module_& module);
void register_probabilistic_pooling(pybind11::module_& module);
void register_rbm(pybind11::module_& module);
void register_recurrent(pybind11::module_& module);
void register_reduction(pybind11::module_& module);
void register_spectrogram(pybind11::module_& module);
void register_tempering(pybind11::module_& module);
void register_viterbi(pybind11::module_& module);

}  // namespace ictus::bindings
