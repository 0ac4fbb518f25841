"""The kernel functions: formulas on arrays."""

from ictus.kernels.activation import (
    activation,
    activation_backward,
    add_contraction,
    dropout,
    exp,
    log,
    sigmoid,
    softplus,
    squared_slopes,
    tanh,
)
from ictus.kernels.batch_normalization import (
    batch_normalization,
    batch_normalization_backward,
    batch_normalization_tangent,
    multiply_channels,
)
from ictus.kernels.conjugate_gradient import cg_advance, cg_damp, cg_turn
from ictus.kernels.convolution import (
    convolution,
    convolution_data_gradient,
    convolution_weights_gradient,
)
from ictus.kernels.gemm import PackedMatrix, gemm
from ictus.kernels.gru import gru
from ictus.kernels.hamming import Nearest, Within, code_words, hamming_nearest, hamming_within
from ictus.kernels.loss import (
    binary_cross_entropy,
    output_curvature,
    softmax_cross_entropy,
    squared_error,
)
from ictus.kernels.lstm import lstm
from ictus.kernels.multi_index import MultiIndex
from ictus.kernels.noise import corrupt
from ictus.kernels.optimizer import adam_update, max_norm, rmsprop_update, sgd_update
from ictus.kernels.pooled_convolution import pooled_convolution, pooled_convolution_backward
from ictus.kernels.pooling import (
    average_pooling,
    average_pooling_backward,
    max_pooling,
    max_pooling_backward,
    max_pooling_tangent,
)
from ictus.kernels.probabilistic_pooling import probabilistic_pooling
from ictus.kernels.random import bernoulli, normal, uniform
from ictus.kernels.rbm import (
    ContrastiveDivergence,
    DeltaRule,
    RbmModel,
    free_energy,
    hidden_layer,
    label_energies,
    rbm_model,
    visible_layer,
)
from ictus.kernels.recurrent import recurrent
from ictus.kernels.reduction import (
    column_sums,
    log_softmax,
    log_sum_exp,
    row_sums,
    softmax,
    sum_of_squares,
)
from ictus.kernels.spectrogram import Filterbank, spectrogram
from ictus.kernels.tempering import anneal, parallel_tempering
from ictus.kernels.viterbi import BarPointer, viterbi_advance, viterbi_forward, viterbi_trace

__all__ = [
    "BarPointer",
    "ContrastiveDivergence",
    "DeltaRule",
    "Filterbank",
    "MultiIndex",
    "Nearest",
    "PackedMatrix",
    "RbmModel",
    "Within",
    "activation",
    "activation_backward",
    "adam_update",
    "add_contraction",
    "anneal",
    "average_pooling",
    "average_pooling_backward",
    "batch_normalization",
    "batch_normalization_backward",
    "batch_normalization_tangent",
    "bernoulli",
    "binary_cross_entropy",
    "cg_advance",
    "cg_damp",
    "cg_turn",
    "code_words",
    "column_sums",
    "convolution",
    "convolution_data_gradient",
    "convolution_weights_gradient",
    "corrupt",
    "dropout",
    "exp",
    "free_energy",
    "gemm",
    "gru",
    "hamming_nearest",
    "hamming_within",
    "hidden_layer",
    "label_energies",
    "log",
    "log_softmax",
    "log_sum_exp",
    "lstm",
    "max_norm",
    "max_pooling",
    "max_pooling_backward",
    "max_pooling_tangent",
    "multiply_channels",
    "normal",
    "output_curvature",
    "parallel_tempering",
    "pooled_convolution",
    "pooled_convolution_backward",
    "probabilistic_pooling",
    "rbm_model",
    "recurrent",
    "rmsprop_update",
    "row_sums",
    "sgd_update",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "spectrogram",
    "squared_error",
    "squared_slopes",
    "sum_of_squares",
    "tanh",
    "uniform",
    "visible_layer",
    "viterbi_advance",
    "viterbi_forward",
    "viterbi_trace",
]
