"""Memory that is refused to a training: MemoryError or the usual bits, and the process goes on."""

import contextlib
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

if sys.platform != "linux" or shutil.which(os.environ.get("CXX", "g++")) is None:
    pytest.skip("needs Linux and a C++ compiler", allow_module_level=True)
if "libasan" in os.environ.get("LD_PRELOAD", "") or "libtsan" in os.environ.get("LD_PRELOAD", ""):
    pytest.skip("a sanitizer has its own allocator", allow_module_level=True)
import allocation

MODELS = ["MLPClassifier, SGD and dropout", "ConvNetClassifier", "SequenceLabeler, LSTM"]


def test_trainings_end_with_memory_error_or_the_usual_bits(tmp_path):
    output = tmp_path / "found.json"
    command = [sys.executable, allocation.__file__, *MODELS, "--faults", "12"]
    done = subprocess.run(
        [*command, "--output", str(output)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(output.read_text())
    assert list(found) == MODELS
    for counts in found.values():
        assert counts["one"].get("MemoryError", 0) >= 6
        assert sum(counts["all"].values()) == 12


def _swallows():
    with contextlib.suppress(MemoryError):
        return np.array([_fails()])
    return np.zeros(1)


def _fails():
    raise MemoryError


def _dies():
    os.abort()


@pytest.mark.parametrize(
    ("train", "found"),
    [
        (_swallows, "other bits"),
        (_fails, "not the same afterwards"),
        (_dies, "exit -6"),
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_wrong_would_be_found(train, found):
    expected = "the digest of a training that had its memory"
    assert allocation.attempt(train, expected, contextlib.nullcontext()) == found
