"""The steps that tools/gpu_benchmarks.py times run on a device, and do something."""

import numpy as np
import pytest

from ictus.kernels._device import named_device
from tools import gpu_training


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("dense", {"units": 9, "rows": 4}),
        ("convolutional", {"filters": 2, "rows": 2}),
        ("recurrent", {"units": 3, "steps": 5, "rows": 1, "depth": 3}),
        ("recurrent", {"units": 3, "steps": 4, "rows": 2, "depth": 1}),
        ("divergence", {"hidden": 8, "rows": 4}),
        ("gauss_newton", {"units": 7, "rows": 4}),
    ],
)
def test_steps_run(device, name, sizes):
    step = getattr(gpu_training, name)(named_device(device).arrays, device, **sizes)
    held = [cell.cell_contents for cell in step.__closure__]
    states = [each.parameters for each in held if hasattr(each, "parameters")]
    states += [each for each in held if hasattr(each, "get") and getattr(each, "ndim", 0) == 1]
    before = [array.get() for array in states]
    assert before
    step()
    pairs = zip(before, states, strict=True)
    changed = [not np.array_equal(old, array.get()) for old, array in pairs]
    assert any(changed)
    assert all(np.isfinite(array.get()).all() for array in states)
