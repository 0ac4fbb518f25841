"""Every kernel function: arrays of other libraries, of any order, and read-only ones."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import ictus
from ictus import kernels
from tests.kernels.calls import every_call

FUNCTIONS = sorted(n for n in kernels.__all__ if inspect.isfunction(getattr(kernels, n)))

# What a native function below calls an argument of the function that the user calls.
OTHER_NAMES = {
    ("batch_normalization_backward", "out"): "x_gradient",
    ("lstm", "peepholes"): "extra",
}


class SpeaksDLPack:
    """An array that another library could have: DLPack and nothing else."""

    def __init__(self, array: np.ndarray, device: tuple[int, int] = (1, 0)) -> None:
        self._array, self._device = array, device

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device


class HasInterface:
    """An array with NumPy's interface and nothing else."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array  # whose memory the interface points to
        self.__array_interface__ = array.__array_interface__


class Converts:
    """What can be converted, as a pandas frame can: perhaps to a copy."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self._array.copy()


def arrays(arguments: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: each for name, each in arguments.items() if isinstance(each, np.ndarray)}


def numbers(result: Any, arguments: dict[str, Any]) -> list[np.ndarray]:
    """What a call has made: its results, and all its arrays, some of which it wrote."""
    results = result if isinstance(result, tuple) else (result,)
    plain = [np.asarray(each) for each in results if isinstance(each, np.ndarray | float)]
    return [*plain, *arrays(arguments).values()]


def called(name: str, arguments: dict[str, Any]) -> list[np.ndarray]:
    return numbers(getattr(kernels, name)(**arguments), arguments)


def assert_same(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_there_is_a_call_of_every_function():
    assert sorted(every_call()) == FUNCTIONS


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("foreign", [SpeaksDLPack, HasInterface])
def test_arrays_of_other_libraries_are_used_as_they_lie(name, foreign):
    # NumPy before 2.1 gives read-only views of what speaks DLPack.
    if foreign is SpeaksDLPack and not np.from_dlpack(np.ones(1)).flags.writeable:
        pytest.skip("this NumPy has no writeable views by DLPack")
    expected = called(name, every_call()[name])
    arguments = every_call()[name]
    given = {n: foreign(each) for n, each in arrays(arguments).items()}
    result = getattr(kernels, name)(**(arguments | given))
    owner = next((n for n, each in given.items() if each is result), None)
    if owner is not None:  # the function returned the array that it was given to write to
        result = arguments[owner]
    assert_same(numbers(result, arguments), expected)


def written_by(name: str) -> list[str]:
    """Names of the arrays that a call writes to."""
    before, after = every_call()[name], every_call()[name]
    called(name, after)
    return [
        n
        for n, each in arrays(after).items()
        if not np.array_equal(each, before[n], equal_nan=True)
    ]


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", ["converted", "read-only"])
def test_what_must_not_be_written_is_read(name, kind):
    arguments = every_call()[name]
    expected = called(name, every_call()[name])
    for n, each in arrays(arguments).items():
        if kind == "converted":
            arguments[n] = Converts(each)
        else:
            each.flags.writeable = False
    if written_by(name):
        with pytest.raises(ValueError, match=r"\w+: \w+ must be writeable, got a read-only"):
            getattr(kernels, name)(**arguments)
        return
    result = getattr(kernels, name)(**arguments)
    found = numbers(result, {})
    assert_same(found, expected[: len(found)])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arrays_in_the_order_of_fortran_are_used_or_refused_by_name(name):
    expected = called(name, every_call()[name])
    arguments = every_call()[name]
    turned = {n: np.asfortranarray(each) for n, each in arrays(arguments).items()}
    for n, each in turned.items():
        given = every_call()[name] | {n: each}
        try:
            found = called(name, given)
        except ValueError as error:
            told = OTHER_NAMES.get((name, n), n)
            assert f": {told} must" in str(error)
            assert "contiguous" in str(error)
            continue
        if name == "gemm":  # which sums in another order where an operand is transposed
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        else:
            assert_same(found, expected)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numbers_of_another_byte_order_are_refused(name):
    arguments = every_call()[name]
    swapped = {
        n: each.astype(each.dtype.newbyteorder(">"))
        for n, each in arrays(arguments).items()
        if each.dtype.kind == "f"
    }
    if swapped:
        with pytest.raises(TypeError, match=r"must have dtype .*, got >f"):
            getattr(kernels, name)(**(arguments | swapped))


def test_another_device_is_named():
    x = SpeaksDLPack(np.ones((2, 2), np.float32), device=(2, 0))
    with pytest.raises(TypeError, match=r"sigmoid: x cannot be read as a NumPy array.*device 2"):
        kernels.sigmoid(x)
    with pytest.raises(TypeError, match=r"gemm: b cannot be read as a NumPy array.*device 2"):
        kernels.gemm(np.ones((2, 2), np.float32), x)


def test_what_is_no_array_stays_refused():
    for x in ([1.0, 2.0], 3.0, None, "text", object()):
        with pytest.raises(TypeError, match="sigmoid: x must be a NumPy array"):
            kernels.sigmoid(x)


def test_networks_and_estimators_take_and_give_arrays_of_other_libraries():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 6)).astype(np.float32), rng.integers(0, 3, 40)
    model = ictus.MLPClassifier((5,), max_epochs=2, random_state=0).fit(x, y)
    for foreign in (SpeaksDLPack, HasInterface):
        again = ictus.MLPClassifier((5,), max_epochs=2, random_state=0).fit(foreign(x), foreign(y))
        np.testing.assert_array_equal(again.network_.parameters, model.network_.parameters)
        np.testing.assert_array_equal(model.predict_proba(foreign(x)), model.predict_proba(x))
        np.testing.assert_array_equal(model.network_.predict(foreign(x)), model.network_.predict(x))
        rbm = ictus.BernoulliRBM(4, n_iter=1, random_state=0).fit(foreign(x > 0))
        np.testing.assert_array_equal(
            rbm.components_, ictus.BernoulliRBM(4, n_iter=1, random_state=0).fit(x > 0).components_
        )
    outputs = (model.predict_proba(x), model.transform(x), model.network_.forward(x))
    for made in outputs:
        shared = np.from_dlpack(SpeaksDLPack(made))
        assert np.shares_memory(shared, made)
        assert made.flags.writeable
        assert np.asarray(HasInterface(made)).ctypes.data == made.ctypes.data


def test_torch_in_and_out():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 8)).astype(np.float32)
    tensor = torch.from_numpy(x.copy())
    out = torch.empty(30, 3)
    weights = torch.from_numpy(rng.standard_normal((8, 3)).astype(np.float32))
    assert kernels.gemm(tensor, weights, out) is out
    np.testing.assert_array_equal(out.numpy(), kernels.gemm(x, weights.numpy()))
    with pytest.raises(TypeError, match=r"gemm: a cannot be read .* requires grad"):
        kernels.gemm(tensor.clone().requires_grad_(), weights)
    with pytest.raises(TypeError, match="must have dtype float32 or float64"):
        kernels.sigmoid(tensor.to(torch.float16))
    labels = rng.integers(0, 2, 30)
    model = ictus.MLPClassifier((4,), max_epochs=2, random_state=0).fit(x, labels)
    again = ictus.MLPClassifier((4,), max_epochs=2, random_state=0)
    again.fit(tensor, torch.from_numpy(labels))
    np.testing.assert_array_equal(again.network_.parameters, model.network_.parameters)
    probabilities = model.predict_proba(tensor)
    assert torch.from_dlpack(probabilities).data_ptr() == probabilities.ctypes.data
