"""Convolutions: single layers, each pass by itself, against PyTorch's better memory format."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.runner import Case

# Channels, outputs, height and width, size of the window; padding same, 16 images.
LAYERS = ((64, 64, 56, 3), (128, 128, 28, 3), (32, 64, 28, 5))
BATCH = 16
PASSES = ("forward", "data gradient", "weights gradient")


def layer(shape: tuple[int, ...], batch: int = BATCH) -> tuple[np.ndarray, ...]:
    """Images, weights and the gradient of the outputs: the same on each side."""
    channels, outputs, size, window = shape
    generator = np.random.default_rng(0)
    x = generator.standard_normal((batch, size, size, channels), np.float32)
    w = generator.standard_normal((window, window, channels, outputs), np.float32)
    y_gradient = generator.standard_normal((batch, size, size, outputs), np.float32)
    return x, w / np.float32(window * channels**0.5), y_gradient


class Ours:
    """ictus.kernels, as a layer calls them."""

    def __init__(self, threads: int) -> None:
        import ictus

        ictus.set_num_threads(threads)

    def prepare(
        self, shape: tuple[int, ...], which: str, algorithm: str, batch: int = BATCH
    ) -> None:
        from ictus import kernels

        x, w, y_gradient = layer(shape, batch)
        more: dict[str, Any] = {"padding": (shape[3] // 2,) * 2, "algorithm": algorithm}
        if which == "forward":
            out = np.empty_like(y_gradient)
            self.run = lambda: kernels.convolution(x, w, out, **more)
        elif which == "data gradient":
            out = np.empty_like(x)
            self.run = lambda: kernels.convolution_data_gradient(y_gradient, w, out, **more)
        else:
            out = np.empty_like(w)
            self.run = lambda: kernels.convolution_weights_gradient(x, y_gradient, out, **more)

    def result(self) -> list[np.ndarray]:
        return [self.run()]


class PyTorch:
    """The operators of conv2d and of its backward pass, in the memory format that is faster."""

    def __init__(self, threads: int) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)

    def prepare(
        self, shape: tuple[int, ...], which: str, algorithm: str, batch: int = BATCH
    ) -> None:
        torch = self.torch
        x, w, y_gradient = map(torch.from_numpy, layer(shape, batch))
        arrays = x.permute(0, 3, 1, 2), w.permute(3, 2, 0, 1), y_gradient.permute(0, 3, 1, 2)
        formats = torch.contiguous_format, torch.channels_last
        runs = [
            self._run([a.contiguous(memory_format=f) for a in arrays], which, shape[3] // 2)
            for f in formats
        ]
        self.run = min(runs, key=_seconds)
        self.order = (2, 3, 1, 0) if which == "weights gradient" else (0, 2, 3, 1)

    def _run(self, arrays: list[Any], which: str, padding: int) -> Callable[[], Any]:
        torch = self.torch
        x, w, y_gradient = arrays
        if which == "forward":
            return lambda: torch.conv2d(x, w, padding=padding)
        mask = [which == "data gradient", which == "weights gradient", False]
        at = mask.index(True)
        backward = torch.ops.aten.convolution_backward
        sides = [padding] * 2
        return lambda: backward(
            y_gradient, x, w, None, [1, 1], sides, [1, 1], False, [0, 0], 1, mask
        )[at]

    def result(self) -> list[np.ndarray]:
        return [self.run().permute(self.order).numpy()]


def _seconds(run: Callable[[], Any]) -> float:
    times = []
    for _ in range(6):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times[1:])[2]


def case(shape: tuple[int, ...], which: str, algorithm: str) -> Case:
    channels, outputs, size, window = shape
    terms = {
        "forward": channels * window**2,
        "data gradient": outputs * window**2,
        "weights gradient": BATCH * size**2,
    }
    return Case(
        f"{window}x{window} {channels} to {outputs}, {size}x{size}, {which}, {algorithm}",
        {"shape": shape, "which": which, "algorithm": algorithm},
        ("PyTorch",),
        # Of the direct sum, so that tiles of fewer operations can exceed the peak.
        operations=2.0 * BATCH * size**2 * window**2 * channels * outputs,
        # Random rounding errors of a sum grow with the root of its length.
        tolerance=8 * float(np.finfo(np.float32).eps) * terms[which] ** 0.5,
        group=f"{window}x{window} {algorithm}",
    )


CASES = [
    case(shape, which, algorithm)
    for algorithm in ("auto", "direct")
    for shape in LAYERS
    for which in PASSES
]
