"""Times ictus on a GPU beside PyTorch in the same process: medians by CUDA events, as Markdown.

Each row first checks the result against the peer's, then times. The ceilings are measured: a large
product by PyTorch for arithmetic, a copy of 1 GiB for memory. Run by ``tools/gpu_check.sh``.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import cupy
import numpy as np
import torch

from ictus import kernels
from ictus.nn import Dense, Network
from ictus.optim import SGD

REPETITIONS = 30


def median_ms(run: Callable[[], object]) -> float:
    """The median time of a call, after three calls to warm up."""
    for _ in range(3):
        run()
    times = []
    for _ in range(REPETITIONS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        run()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times)


def row(name: str, ours: float, peer: float, work: float, unit: str, ceiling: float) -> str:
    """A row of the table; `work` in 1e9 operations or bytes a call."""
    rate = work / ours * 1e3
    return (
        f"| {name} | {ours:.4f} | {peer:.4f} | {peer / ours:.2f} | {rate:.0f} {unit} | "
        f"{rate / ceiling:.2f} |"
    )


def product(size: int, ceiling: float) -> str:
    a, b = (torch.randn(size, size, device="cuda") for _ in range(2))
    ca, cb, out = cupy.from_dlpack(a), cupy.from_dlpack(b), cupy.empty((size, size), "f4")
    kernels.gemm(ca, cb, out)
    expected = torch.from_dlpack(out)
    assert torch.allclose(expected, a @ b, rtol=1e-3, atol=1e-2 * size**0.5)
    ours = median_ms(lambda: kernels.gemm(ca, cb, out))
    peer = median_ms(lambda: torch.matmul(a, b))
    return row(f"product {size}", ours, peer, 2e-9 * size**3, "GFLOP/s", ceiling)


def update(size: int, ceiling: float) -> str:
    w, g, v = (cupy.zeros(size, "f4") for _ in range(3))
    tw, tg, tv = map(torch.from_dlpack, (w, g, v))

    def peer() -> None:
        tv.mul_(0.9).add_(tg, alpha=-0.1)
        tw.add_(tv)

    ours = median_ms(lambda: kernels.sgd_update(w, g, v, learning_rate=0.1, momentum=0.9))
    return row(f"momentum {size}", ours, median_ms(peer), 20e-9 * size, "GB/s", ceiling)


def dense_step(ceiling: float) -> str:
    network = Network(784, [Dense(800, "relu"), Dense(800, "relu"), Dense(10)]).to("cuda")
    rule = SGD(0.1, momentum=0.9)
    rule.prepare(network.parameters, network.weight_segments, network.weight_matrices)
    x = cupy.asarray(np.random.default_rng(0).random((100, 784), np.float32))
    y = cupy.asarray(np.arange(100) % 10)

    def ours() -> None:
        network.loss_and_gradient(x, y)
        rule.step(network.parameters, network.gradient)

    model = torch.nn.Sequential(
        torch.nn.Linear(784, 800), torch.nn.ReLU(), torch.nn.Linear(800, 800), torch.nn.ReLU(),
        torch.nn.Linear(800, 10),
    ).cuda()  # fmt: skip
    peer_rule = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    tx, ty = torch.from_dlpack(x), torch.from_dlpack(y)

    def peer() -> None:
        peer_rule.zero_grad()
        torch.nn.functional.cross_entropy(model(tx), ty).backward()
        peer_rule.step()

    flops = 6e-9 * 100 * (784 * 800 + 800 * 800 + 800 * 10)
    name = "step 784-800-800-10, batch 100"
    return row(name, median_ms(ours), median_ms(peer), flops, "GFLOP/s", ceiling)


def main() -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    a = torch.randn(8192, 8192, device="cuda")
    arithmetic = 2e-9 * 8192**3 / median_ms(lambda: torch.matmul(a, a)) * 1e3
    block = torch.empty(1 << 28, device="cuda")
    memory = 2e-9 * 4 * (1 << 28) / median_ms(lambda: torch.clone(block)) * 1e3
    print(f"Measured ceilings: {arithmetic:.0f} GFLOP/s (float32), {memory:.0f} GB/s.\n")
    print("| what | ictus, ms | PyTorch, ms | ratio | rate | share of the ceiling |")
    print("|---|---|---|---|---|---|")
    for size in (512, 1024, 4096):
        print(product(size, arithmetic))
    for size in (1_000_000, 50_000_000):
        print(update(size, memory))
    print(dense_step(arithmetic))


if __name__ == "__main__":
    main()
