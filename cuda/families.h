// The families that have a CUDA variant, and their tables: one line each. Add a family here and in
// CMakeLists.txt (ICTUS_CUDA_FAMILIES); cuda/F.cu defines F_float and F_double.
#pragma once

#define ICTUS_CUDA_FAMILIES(X)                          \
  X(activation, ActivationKernels)                      \
  X(batch_normalization, BatchNormalizationKernels)     \
  X(conjugate_gradient, ConjugateGradientKernels)       \
  X(convolution, ConvolutionKernels)                    \
  X(gemm, GemmKernels)                                  \
  X(gru, GruKernels)                                    \
  X(hamming, HammingKernels)                            \
  X(loss, LossKernels)                                  \
  X(lstm, LstmKernels)                                  \
  X(mean_covariance, MeanCovarianceKernels)             \
  X(noise, NoiseKernels)                                \
  X(optimizer, OptimizerKernels)                        \
  X(pooled_convolution, PooledConvolutionKernels)       \
  X(pooling, PoolingKernels)                            \
  X(probabilistic_pooling, ProbabilisticPoolingKernels) \
  X(random, RandomKernels)                              \
  X(rbm, RbmKernels)                                    \
  X(recurrent, RecurrentLayerKernels)                   \
  X(reduction, ReductionKernels)                        \
  X(spectrogram, SpectrogramKernels)                    \
  X(tempering, TemperingKernels)                        \
  X(viterbi, ViterbiKernels)
