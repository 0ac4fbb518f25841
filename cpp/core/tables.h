// The tables of kernels: for every family, level and scalar, one struct of function pointers that
// kernels/F.cpp defines. This list is the only registry; a family that is not in it does not exist.
#pragma once

#include "ictus/activation.h"
#include "ictus/batch_normalization.h"
#include "ictus/conjugate_gradient.h"
#include "ictus/convolution.h"
#include "ictus/gemm.h"
#include "ictus/gru.h"
#include "ictus/hamming.h"
#include "ictus/level.h"
#include "ictus/loss.h"
#include "ictus/lstm.h"
#include "ictus/mean_covariance.h"
#include "ictus/multi_index.h"
#include "ictus/noise.h"
#include "ictus/optimizer.h"
#include "ictus/pooled_convolution.h"
#include "ictus/pooling.h"
#include "ictus/probabilistic_pooling.h"
#include "ictus/random.h"
#include "ictus/rbm.h"
#include "ictus/recurrent.h"
#include "ictus/reduction.h"
#include "ictus/spectrogram.h"
#include "ictus/tempering.h"
#include "ictus/viterbi.h"

#define ICTUS_FAMILIES(X)                               \
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
  X(multi_index, MultiIndexKernels)                     \
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

namespace ictus {

template <class T>
struct Tables {
#define ICTUS_MEMBER(family, Table) const Table<T>* family;
  ICTUS_FAMILIES(ICTUS_MEMBER)
#undef ICTUS_MEMBER
};

// The kernels of the level in force.
template <class T>
const Tables<T>& tables() noexcept;
template <>
const Tables<float>& tables<float>() noexcept;
template <>
const Tables<double>& tables<double>() noexcept;

}  // namespace ictus
