"""Writes docs/results/cuda_resources.md: what each CUDA kernel takes of a multiprocessor.

Compiles every ``cuda/*.cu`` for the given architectures (``sm_80`` ..) with the assembler's report
on, needs nvcc and no GPU, and fails where a source has a warning. Spills are in the table.

    python tools/cuda_resources.py sm_75 sm_80 sm_90
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ["-std=c++17", "-cubin", "-Xptxas", "-v", "-Xcompiler=-Wall"]
INCLUDES = [f"-I{ROOT / folder}" for folder in ("cuda", "cpp", "cpp/include")]


def report(source: Path, architecture: str) -> tuple[list[dict[str, str]], list[str]]:
    """The kernels of a source with their resources, and the warnings."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["nvcc", *FLAGS, *INCLUDES, f"-arch={architecture}", "-o", f"{folder}/out", source],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        sys.exit(f"{source.name} for {architecture}:\n{done.stderr}")
    kernels: list[dict[str, str]] = []
    for line in done.stderr.splitlines():
        if found := re.search(r"Compiling entry function '(\w+)'", line):
            kernels.append({"name": found[1], "spills": "0", "shared": "0"})
        elif found := re.search(r"(\d+) bytes spill stores", line):
            kernels[-1]["spills"] = found[1]
        elif found := re.search(r"Used (\d+) registers", line):
            kernels[-1]["registers"] = found[1]
            if shared := re.search(r"(\d+) bytes smem", line):
                kernels[-1]["shared"] = shared[1]
    warnings = [line for line in done.stderr.splitlines() if "warning" in line]
    return [k for k in kernels if "registers" in k], warnings


def readable(names: list[str]) -> list[str]:
    """Names of kernels as they are written, without namespaces and arguments."""
    text = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True,
                          check=True).stdout  # fmt: skip
    result = []
    for line in text.splitlines():
        name = re.sub(r"(ictus::|cuda::|\(anonymous namespace\)::|_GLOBAL__N_\w*::)", "", line)
        result.append(re.sub(r"\(.*$", "", name.removeprefix("void ")))
    return result


def main(architectures: list[str]) -> None:
    lines = [
        "# What CUDA kernels take of a multiprocessor",
        "",
        "No kernel here has run on a GPU: none was to be had. The tests ran the same sources on",
        "the CPU (`cuda/emulation`), which says nothing of speed. The table is the assembler's",
        f"report for {', '.join(architectures)}, made by `tools/cuda_resources.py`. Shared memory",
        "is the static one; spills are bytes stored.",
        "",
        "| source | kernel | architecture | registers | shared memory, bytes | spills |",
        "|---|---|---|---|---|---|",
    ]
    faults: list[str] = []
    for source in sorted((ROOT / "cuda").glob("*.cu")):
        for architecture in architectures:
            kernels, warnings = report(source, architecture)
            faults += warnings
            for kernel, name in zip(kernels, readable([k["name"] for k in kernels]), strict=True):
                lines.append(
                    f"| {source.stem} | `{name}` | {architecture} | {kernel['registers']} | "
                    f"{kernel['shared']} | {kernel['spills']} |"
                )
            print(source.name, architecture, len(kernels), "kernels", flush=True)
    if faults:
        sys.exit("\n".join(faults))
    path = ROOT / "docs" / "results" / "cuda_resources.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:] or ["sm_75", "sm_80", "sm_90"])
