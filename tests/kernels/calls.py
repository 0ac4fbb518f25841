"""A small call of every kernel function, for tests that hold for all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ictus.kernels import BarPointer, Filterbank, rbm_model
from ictus.kernels.viterbi import viterbi_advance

Arguments = dict[str, Any]
ROWS, INPUTS, UNITS = 5, 7, 3


def _machine(rng: np.random.Generator, **options: Any) -> Any:
    weights = rng.standard_normal((INPUTS, UNITS)).astype(np.float32)
    biases = [rng.standard_normal(n).astype(np.float32) for n in (INPUTS, UNITS)]
    return rbm_model(weights, *biases, **options)


def _bar_pointer(logarithms: bool) -> BarPointer:
    transitions = np.full((2, 2), 0.5, np.float32)
    return BarPointer(
        np.array([3, 4], np.int32),
        np.ones((2, 2), np.int32),
        np.array([1, 2], np.int32),
        np.log(transitions) if logarithms else transitions,
    )


def every_call(seed: int = 0) -> dict[str, Arguments]:
    """Return arguments by name, for the name of each function of ictus.kernels."""
    rng = np.random.default_rng(seed)

    def real(*shape: int) -> Any:
        return rng.standard_normal(shape).astype(np.float32)

    def unit(*shape: int) -> Any:
        return rng.random(shape).astype(np.float32)

    def none(*shape: int) -> Any:
        return np.zeros(shape, np.float32)

    matrix, labels = (ROWS, INPUTS), rng.integers(0, INPUTS, ROWS)
    images, window = (2, 6, 5, 3), (2, 2, 3, 4)
    places = (2, 5, 4, 4)
    pooled = (2, 3, 2, 3)
    argmax = rng.integers(0, 4, pooled).astype(np.int32)
    codes = rng.integers(0, 256, (20, 8)).astype(np.uint8)
    draws = {"seed": 3, "stream": 2}
    vectors = {"parameters": real(9), "gradient": real(9)}
    segments = np.array([[1, 4]], np.int64)
    densities = unit(6, 3)
    origins = viterbi_advance(_bar_pointer(True), np.log(densities), none(14))
    elementwise = {
        name: {"x": real(*matrix), "out": none(*matrix)}
        for name in ("exp", "sigmoid", "softplus", "tanh", "log_softmax", "softmax")
    }
    recurrent = {"x": real(2, 4, INPUTS), "lengths": np.array([4, 2])}
    norm = {"scale": real(3), "shift": real(3)}
    running = {"running_mean": none(3), "running_variance": none(3) + 1}
    statistics = {"mean": real(3), "r": unit(3)}
    return elementwise | {
        "activation": {"x": real(*matrix), "name": "tanh", "out": none(*matrix)},
        "activation_backward": {
            "grad": real(*matrix), "y": unit(*matrix), "name": "sigmoid", "out": none(*matrix)
        },
        "adam_update": vectors
        | {"mean": real(9), "mean_square": unit(9), "step": 2, "learning_rate": 0.1}
        | {"segments": segments, "l2": 0.1},
        "add_contraction": {
            "y": unit(*matrix), "factors": real(INPUTS), "grad": real(*matrix), "name": "sigmoid"
        },
        "anneal": {
            "model": _machine(rng), "base_bias": real(INPUTS),
            "inverse_temperature": np.linspace(0, 1, 4), "visible": unit(*matrix).round(),
            "log_weights": np.zeros(ROWS),
        } | draws,
        "average_pooling": {"x": real(*images), "window": 2, "out": none(*pooled)},
        "average_pooling_backward": {
            "y_gradient": real(*pooled), "out": none(*images), "window": 2
        },
        "batch_normalization": {"x": real(ROWS, 3), "out": none(ROWS, 3), "training": True}
        | norm | running,
        "batch_normalization_backward": {
            "y_gradient": real(ROWS, 3), "x": real(ROWS, 3), "scale": real(3),
            "scale_gradient": none(3), "shift_gradient": none(3), "out": none(ROWS, 3),
            "training": True,
        } | statistics,
        "batch_normalization_tangent": {
            "x": real(ROWS, 3), "x_dot": real(ROWS, 3), "scale": real(3), "scale_dot": real(3),
            "shift_dot": real(3), "out": none(ROWS, 3), "training": True,
        } | statistics,
        "bernoulli": {"p": unit(*matrix), "out": none(*matrix)} | draws,
        "binary_cross_entropy": {
            "logits": real(*matrix), "targets": unit(*matrix), "gradient": none(*matrix),
            "weights": unit(ROWS),
        },
        "cg_advance": {
            "alpha": 0.5, "direction": real(9), "product": real(9), "gradient": real(9),
            "x": real(9), "residual": real(9), "inverse": unit(9),
        },
        "cg_damp": {
            "direction": real(9), "product": real(9), "damping": 0.5, "segments": segments
        },
        "cg_turn": {"beta": 0.5, "residual": real(9), "direction": real(9), "inverse": unit(9)},
        "code_words": {"codes": codes},
        "column_sums": {"x": real(*matrix), "out": none(INPUTS)},
        "convolution": {
            "x": real(*images), "weights": real(*window), "out": none(*places), "bias": real(4)
        },
        "convolution_data_gradient": {
            "y_gradient": real(*places), "weights": real(*window), "out": none(*images)
        },
        "convolution_weights_gradient": {
            "x": real(*images), "y_gradient": real(*places), "out": none(*window)
        },
        "corrupt": {"x": real(*matrix), "out": none(*matrix)} | draws,
        "dropout": {"x": real(*matrix), "rate": 0.5, "out": none(*matrix)} | draws,
        "free_energy": {"model": _machine(rng), "visible": unit(*matrix), "out": none(ROWS)},
        "gemm": {
            "a": real(*matrix), "b": real(INPUTS, UNITS), "out": none(ROWS, UNITS),
            "bias": real(UNITS),
        },
        "gru": recurrent | {
            "input_weights": real(INPUTS, 9), "recurrent_weights": real(1, 3, 9),
            "bias": real(9), "recurrent_bias": real(1, 3), "initial_state": real(1, 1, 2, 3),
        },
        "hamming_nearest": {"codes": codes, "queries": codes[:3].copy(), "k": 4},
        "hamming_within": {"codes": codes, "queries": codes[:3].copy(), "radius": 30},
        "hidden_layer": {
            "model": _machine(rng), "visible": unit(*matrix), "mean": none(ROWS, UNITS),
            "sample": none(ROWS, UNITS),
        } | draws,
        "label_energies": {
            "model": _machine(rng, visible_type="labelled", group_size=3),
            "visible": unit(ROWS, INPUTS - 3), "out": none(ROWS, 3),
        },
        "log": {"x": unit(*matrix), "out": none(*matrix)},
        "log_sum_exp": {"x": real(*matrix), "out": none(ROWS)},
        "lstm": recurrent | {
            "input_weights": real(INPUTS, 12), "recurrent_weights": real(1, 3, 12),
            "bias": real(12), "peepholes": real(1, 3, 3), "initial_state": real(2, 1, 2, 3),
        },
        "max_norm": {"weights": real(*matrix), "limit": 0.5},
        "max_pooling": {
            "x": real(*images), "window": 2, "out": none(*pooled),
            "argmax": np.zeros(pooled, np.int32),
        },
        "max_pooling_backward": {
            "y_gradient": real(*pooled), "argmax": argmax, "out": none(*images), "window": 2
        },
        "max_pooling_tangent": {
            "x_dot": real(*images), "argmax": argmax, "out": none(*pooled), "window": 2
        },
        "multiply_channels": {
            "x": real(2, 6, 3), "factors": real(2, 3), "out": none(2, 6, 3)
        },
        "normal": {"out": none(*matrix)} | draws,
        "output_curvature": {
            "loss": "softmax_cross_entropy", "logits": real(*matrix), "v": real(*matrix),
            "out": none(*matrix), "weights": unit(ROWS),
        },
        "parallel_tempering": {
            "model": _machine(rng), "base_bias": real(INPUTS),
            "inverse_temperature": np.array([0.0, 1.0]), "visible": unit(4, INPUTS).round(),
            "temperature": np.array([0, 1, 0, 1]), "row_at": np.array([0, 1, 2, 3]),
            "swaps": np.zeros(1, np.int64), "steps": 2,
        } | draws,
        "pooled_convolution": {
            "x": real(*images), "weights": real(*window), "bias": real(4), "pool": 2
        },
        "pooled_convolution_backward": {
            "x": real(*images), "weights": real(*window), "y": real(2, 2, 2, 4),
            "y_gradient": real(2, 2, 2, 4),
            "argmax": rng.integers(0, 4, (2, 2, 2, 4)).astype(np.int32),
            "weights_gradient": none(*window), "bias_gradient": none(4),
            "x_gradient": none(*images), "pool": 2,
        },
        "probabilistic_pooling": {
            "x": real(2, 6, 4, 3), "block": 2, "mean": none(2, 6, 4, 3),
            "sample": none(2, 6, 4, 3), "log_sum": none(2, 3, 2, 3),
        } | draws,
        "rbm_model": {
            "weights": real(INPUTS, UNITS), "visible_bias": real(INPUTS),
            "hidden_bias": real(UNITS),
        },
        "recurrent": recurrent | {
            "input_weights": real(INPUTS, 3), "recurrent_weights": real(1, 3, 3),
            "bias": real(3), "initial_state": real(1, 1, 2, 3),
        },
        "rmsprop_update": vectors | {
            "mean_square": unit(9), "velocity": real(9), "learning_rate": 0.1, "momentum": 0.5,
        },
        "row_sums": {"x": real(*matrix), "out": none(ROWS)},
        "sgd_update": vectors | {
            "velocity": real(9), "learning_rate": 0.1, "momentum": 0.5, "segments": segments
        },
        "softmax_cross_entropy": {
            "logits": real(*matrix), "targets": labels, "gradient": none(*matrix)
        },
        "spectrogram": {
            "signal": real(64), "starts": np.array([0, 8, 16]), "window": unit(16),
            "filterbank": Filterbank(
                np.array([0, 2], np.int32), np.array([0, 3, 6], np.int32), unit(6)
            ),
            "out": none(3, 2),
        },
        "squared_error": {
            "logits": real(*matrix), "targets": real(*matrix), "gradient": none(*matrix)
        },
        "squared_slopes": {"y": unit(*matrix), "name": "sigmoid", "out": none(INPUTS)},
        "sum_of_squares": {"x": real(9)},
        "uniform": {"out": none(*matrix)} | draws,
        "visible_layer": {
            "model": _machine(rng), "hidden": unit(ROWS, UNITS), "mean": none(*matrix),
            "sample": none(*matrix), "row_bias": real(*matrix),
        } | draws,
        "viterbi_advance": {
            "model": _bar_pointer(True), "densities": np.log(densities), "scores": none(14),
            "origins": np.zeros((6, 2, 2), np.uint16),
        },
        "viterbi_forward": {
            "model": _bar_pointer(False), "densities": densities, "probabilities": none(14) + 1
        },
        "viterbi_trace": {
            "model": _bar_pointer(True), "origins": origins,
            "states": np.array([3, 9], np.int32), "path": np.zeros(6, np.int32),
        },
    }  # fmt: skip
