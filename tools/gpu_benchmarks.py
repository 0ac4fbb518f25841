"""Times ictus on a GPU beside PyTorch in the same process: medians by CUDA events, as Markdown.

Products are first checked against the peer's; that training steps give the CPU's numbers is what
the test suite shows. The ceilings are measured: a large product by PyTorch for arithmetic, a copy
of 1 GiB for memory. Run by ``tools/gpu_check.sh``.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import cupy
import gpu_training
import torch

from ictus import kernels

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


def torch_step(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> Callable[[], None]:
    """PyTorch's training step: cross-entropy, momentum."""
    rule = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step() -> None:
        rule.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        rule.step()

    return step


def dense_steps(ceiling: float) -> list[str]:
    x, y = torch.rand(100, 784, device="cuda"), torch.arange(100, device="cuda") % 10
    model = torch.nn.Sequential(
        torch.nn.Linear(784, 800), torch.nn.ReLU(), torch.nn.Linear(800, 800), torch.nn.ReLU(),
        torch.nn.Linear(800, 10),
    ).cuda()  # fmt: skip
    ours = median_ms(gpu_training.dense(cupy, "cuda"))
    flops = 6e-9 * 100 * (784 * 800 + 800 * 800 + 800 * 10)
    name = "step 784-800-800-10, batch 100"
    eager = median_ms(torch_step(model, x, y))
    compiled = torch.compile(model, mode="reduce-overhead")
    return [
        row(f"{name}, eager", ours, eager, flops, "GFLOP/s", ceiling),
        row(f"{name}, torch.compile", ours, median_ms(torch_step(compiled, x, y)), flops,
            "GFLOP/s", ceiling),
    ]  # fmt: skip


def convolutional_step(ceiling: float) -> str:
    x, y = torch.rand(100, 1, 28, 28, device="cuda"), torch.arange(100, device="cuda") % 10
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 32, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(32, 64, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(1600, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10),
    ).cuda()  # fmt: skip
    flops = 6e-9 * 100 * (676 * 9 * 32 + 121 * 288 * 64 + 1600 * 128 + 1280)
    ours, peer = gpu_training.convolutional(cupy, "cuda"), torch_step(model, x, y)
    name = "step of 2 convolutions, batch 100"
    return row(name, median_ms(ours), median_ms(peer), flops, "GFLOP/s", ceiling)


class Recurrent(torch.nn.Module):
    """cuDNN's LSTM and a linear output for each frame."""

    def __init__(self, inputs: int, units: int, depth: int) -> None:
        super().__init__()
        both = depth > 1
        self.lstm = torch.nn.LSTM(inputs, units, depth, bidirectional=both, batch_first=True)
        self.output = torch.nn.Linear(units * (1 + both), 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.lstm(x)[0]).flatten(0, 1)


def recurrent_step(name: str, units: int, steps: int, rows: int, depth: int, ceiling: float) -> str:
    inputs, directions = (266, 2) if depth > 1 else (units, 1)
    x = torch.rand(rows, steps, inputs, device="cuda")
    y = torch.arange(rows * steps, device="cuda") % 2
    widths = [inputs] + [directions * units] * (depth - 1)
    each = sum(directions * 4 * units * (width + units) for width in widths)
    flops = 6e-9 * rows * steps * each
    ours = gpu_training.recurrent(cupy, "cuda", units, steps, rows, depth)
    peer = torch_step(Recurrent(inputs, units, depth).cuda(), x, y)
    return row(name, median_ms(ours), median_ms(peer), flops, "GFLOP/s", ceiling)


def divergence(ceiling: float) -> str:
    w = 0.01 * torch.randn(784, 1024, device="cuda")
    b, c = torch.zeros(784, device="cuda"), torch.zeros(1024, device="cuda")
    velocity = [torch.zeros_like(each) for each in (w, b, c)]
    x = (torch.rand(1024, 784, device="cuda") < 0.3).float()

    def peer() -> None:
        h = torch.sigmoid(torch.addmm(c, x, w))
        v = torch.bernoulli(torch.sigmoid(torch.addmm(b, torch.bernoulli(h), w.T)))
        last = torch.sigmoid(torch.addmm(c, v, w))
        moves = (x.T @ h - v.T @ last, (x - v).sum(0), (h - last).sum(0))
        for array, moved, change in zip((w, b, c), velocity, moves, strict=True):
            moved.mul_(0.5).add_(change, alpha=0.1 / 1024)
            array.add_(moved)

    ours = median_ms(gpu_training.divergence(cupy, "cuda"))
    flops = 2e-9 * 5 * 1024 * 784 * 1024
    return row("CD-1 784 x 1024, batch 1024", ours, median_ms(peer), flops, "GFLOP/s", ceiling)


def gauss_newton(ceiling: float) -> str:
    """Beside forward- over reverse-mode products through torch.func."""
    model = torch.nn.Sequential(
        torch.nn.Linear(784, 800), torch.nn.Tanh(), torch.nn.Linear(800, 800), torch.nn.Tanh(),
        torch.nn.Linear(800, 10),
    ).cuda()  # fmt: skip
    x = torch.rand(1000, 784, device="cuda")
    parameters = {name: each.detach() for name, each in model.named_parameters()}
    direction = {name: torch.rand_like(each) for name, each in parameters.items()}

    def logits(values: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.func.functional_call(model, values, (x,))

    def peer() -> None:
        z, tangent = torch.func.jvp(logits, (parameters,), (direction,))
        p = torch.softmax(z, 1)
        curved = p * (tangent - (p * tangent).sum(1, keepdim=True)) / 1000
        torch.func.vjp(logits, parameters)[1](curved)

    ours = median_ms(gpu_training.gauss_newton(cupy, "cuda"))
    flops = 8e-9 * 1000 * (784 * 800 + 800 * 800 + 800 * 10)
    name = "Gauss-Newton product, 1000 examples"
    return row(name, ours, median_ms(peer), flops, "GFLOP/s", ceiling)


def hamming_search(ceiling: float) -> str:
    """64 queries over 2^22 codes of 128 bits; PyTorch has no search, so its copy stands beside."""
    codes = cupy.random.randint(0, 2**63, (1 << 22, 2), "u8")
    block = torch.from_dlpack(codes.view("i8"))
    ours = median_ms(lambda: kernels.hamming_nearest(codes, codes[:64], 10))
    peer = median_ms(lambda: torch.clone(block))
    return row(
        "Hamming, 64 queries (peer: a copy)", ours, peer, 1e-9 * codes.nbytes, "GB/s", ceiling
    )


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
    for line in dense_steps(arithmetic):
        print(line)
    print(convolutional_step(arithmetic))
    print(recurrent_step("step of 3 LSTM x 25 in 2 directions, 18,000 frames", 25, 18_000, 1, 3,
                         arithmetic))  # fmt: skip
    print(recurrent_step("step of LSTM 512, batch 64 x 100", 512, 100, 64, 1, arithmetic))
    print(divergence(arithmetic))
    print(gauss_newton(arithmetic))
    print(hamming_search(memory))


if __name__ == "__main__":
    main()
