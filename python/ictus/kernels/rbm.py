"""Restricted Boltzmann machines: a layer given the other, free energy, and their training.

The energy of visible states v and hidden states h is

- ``E(v, h) = -b.v - c.h - v.W h`` for Bernoulli, softmax and labelled visible units,
- ``E(v, h) = sum((v - b)**2 / (2 s2)) - c.h - (v / s2).W h`` for Gaussian visible units of
  variance s2 (Cho, Ilin & Raiko, "Improved learning of Gaussian-Bernoulli restricted Boltzmann
  machines", ICANN 2011), and
- more by ``|h|**2 / 2`` for Gaussian hidden units.

Softmax visible units are groups of which one unit is 1 (categories, for example pitches).
Labelled visible units are Bernoulli units, the last ``group_size`` of which are one softmax group
(Hinton, Osindero & Teh, "A fast learning algorithm for deep belief nets", Neural Computation 2006).
Rectified hidden units are noisy rectified linear units (Nair & Hinton, "Rectified linear units
improve restricted Boltzmann machines", ICML 2010): their mean is taken as ``log(1 + exp(x))``,
the mean of the stack of Bernoulli units that they stand for, their sample is
``max(0, x + normal(0, sigmoid(x)))``.

Arrays are float32 or float64, all of one model alike. Draws depend on (``seed``, ``stream``,
``first_row`` + row, unit) alone, as in :mod:`ictus.kernels.random`; a softmax group draws by its
number in place of the unit's, a label by that of its first unit. Where the states given are mostly
zero, the zeros are skipped.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from ictus import _core
from ictus._core import RbmModel
from ictus.kernels._arrays import FloatArray
from ictus.kernels._device import empty, is_array, native_module
from ictus.kernels._foreign import takes_arrays

__all__ = [
    "HIDDEN_UNITS",
    "VISIBLE_UNITS",
    "ContrastiveDivergence",
    "DeltaRule",
    "RbmModel",
    "free_energy",
    "hidden_layer",
    "label_energies",
    "rbm_model",
    "visible_layer",
]

#: The units by name, and the numbers by which the native kernels know them.
VISIBLE_UNITS = {"bernoulli": 0, "gaussian": 1, "softmax": 2, "labelled": 4}
HIDDEN_UNITS = {"bernoulli": 0, "gaussian": 1, "rectified": 3}


class ContrastiveDivergence(_core.ContrastiveDivergence):
    """Updates of a model by contrastive divergence, and their state, where its arrays lie.

    Contrastive divergence (Hinton 2002) or its persistent form (Tieleman 2008); ``update(data)``
    makes one update of all parameters in place.

    Parameters
    ----------
    model : RbmModel
        Its weights and biases are changed by the updates.
    weights_velocity : array, shape (visible units, hidden units)
    *state : arrays, shape (visible units,) and (hidden units,)
        The velocities of the visible and of the hidden biases.
    **more : arrays, optional
        ``particles`` (chains, hidden units) of persistent chains; ``fast_weights``; the weights of
        a context and their velocities (``visible_context``, ``hidden_context``,
        ``visible_context_velocity``, ``hidden_context_velocity``); ``log_variance`` and its
        velocity ``log_variance_velocity``; ``activity`` (hidden units,).

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape or strides, arrays that overlap or have no meaning together.
    """

    def __new__(
        cls, model: RbmModel, weights_velocity: FloatArray, *state: Any, **more: Any
    ) -> ContrastiveDivergence:  # the native object of the device
        native = native_module(weights_velocity)
        made: ContrastiveDivergence = native.ContrastiveDivergence(
            model, weights_velocity, *state, **more
        )
        return made


class DeltaRule(_core.DeltaRule):
    """Updates of one layer of a directed net by the delta rule, where its arrays lie.

    ``update(given, target)`` makes one update in place (wake-sleep: Hinton, Dayan, Frey & Neal
    1995).

    Parameters
    ----------
    model : RbmModel
        Its weights and the bias of the layer are changed by the updates.
    hidden : bool
        Whether the hidden units learn, given visible ones; else the visible ones, given hidden.
    weights_velocity : array, shape (visible units, hidden units)
    bias_velocity : array, shape (units of the layer,)

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape or strides, or arrays that overlap.
    """

    def __new__(
        cls, model: RbmModel, hidden: bool, weights_velocity: FloatArray, bias_velocity: FloatArray
    ) -> DeltaRule:  # the native object of the device
        native = native_module(weights_velocity)
        made: DeltaRule = native.DeltaRule(model, hidden, weights_velocity, bias_velocity)
        return made


def _number(argument: str, numbers: dict[str, int], name: str) -> int:
    try:
        return numbers[name]
    except (KeyError, TypeError):
        names = ", ".join(numbers)
        raise ValueError(f"rbm_model: {argument} must be one of {names}, got {name!r}") from None


@takes_arrays
def rbm_model(
    weights: FloatArray,
    visible_bias: FloatArray,
    hidden_bias: FloatArray,
    variance: FloatArray | None = None,
    *,
    visible_type: Literal["bernoulli", "gaussian", "softmax", "labelled"] = "bernoulli",
    hidden_type: Literal["bernoulli", "rectified", "gaussian"] = "bernoulli",
    group_size: int = 1,
) -> RbmModel:
    """Put the parameters of a machine together, checked once.

    The model refers to the arrays and keeps them alive: a change to their elements is a change of
    the model.

    Parameters
    ----------
    weights : array, shape (visible units, hidden units)
        C-contiguous float32 or float64; decides the dtype of all other arrays.
    visible_bias, hidden_bias : array, shape (visible units,) and (hidden units,)
    variance : array, shape (visible units,), optional
        Of Gaussian visible units, in the data's units squared; 1 if not given.
    visible_type, hidden_type : str
        The kinds of units.
    group_size : int
        Visible units in each softmax group, a divisor of their number; or of the label.

    Raises
    ------
    TypeError
        What is no array, or of the wrong dtype.
    ValueError
        A wrong shape, gaps in an array, an unknown kind of units, a group size that does not fit.
    """
    model: RbmModel = native_module(weights).RbmModel(
        weights,
        visible_bias,
        hidden_bias,
        variance,
        _number("visible_type", VISIBLE_UNITS, visible_type),
        _number("hidden_type", HIDDEN_UNITS, hidden_type),
        group_size,
    )
    return model


@takes_arrays
def hidden_layer(
    model: RbmModel,
    visible: FloatArray,
    *,
    mean: FloatArray | None = None,
    sample: FloatArray | None = None,
    row_bias: FloatArray | None = None,
    inverse_temperature: FloatArray | None = None,
    uniforms: FloatArray | None = None,
    seed: int = 0,
    stream: int = 0,
    first_row: int = 0,
) -> None:
    """Write the means of the hidden units given visible states, samples of them, or both.

    The input of unit j is ``x = sum_i v_i / s2_i W_ij + c_j``; the mean is ``sigmoid(x)``
    (bernoulli), ``x`` (gaussian) or ``log(1 + exp(x))`` (rectified).

    Parameters
    ----------
    model : RbmModel
    visible : array, shape (rows, visible units)
        Its rows must be contiguous. Any numbers; zeros are skipped where that pays.
    mean, sample : array, shape (rows, hidden units)
        Where to write, C-contiguous; at least one of them.
    row_bias : array, shape (rows, hidden units), optional
        Takes the place of the hidden bias, row by row (a conditional machine's).
    inverse_temperature : array, shape (rows,), optional
        Multiplies the inputs of each row, for tempered chains; not of gaussian or rectified units.
    uniforms : array, shape (rows, hidden units), optional
        The numbers that Bernoulli units compare with their means, in place of drawn ones.
    seed, stream, first_row : int
        Which numbers are drawn: a batch cut in parts draws as the whole.

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape, strides or overlap; an argument that has no meaning for these units.
    """
    native_module(visible).hidden_layer(
        model,
        visible,
        row_bias,
        inverse_temperature,
        mean,
        sample,
        uniforms,
        seed,
        stream,
        first_row,
    )


@takes_arrays
def visible_layer(
    model: RbmModel,
    hidden: FloatArray,
    *,
    mean: FloatArray | None = None,
    sample: FloatArray | None = None,
    row_bias: FloatArray | None = None,
    inverse_temperature: FloatArray | None = None,
    uniforms: FloatArray | None = None,
    seed: int = 0,
    stream: int = 0,
    first_row: int = 0,
) -> None:
    """Write the means of the visible units given hidden states, samples of them, or both.

    The input of unit i is ``x = sum_j W_ij h_j + b_i``; the mean is ``sigmoid(x)`` (bernoulli),
    ``x`` (gaussian, whose samples have the model's variance) or ``softmax(x)`` over each group;
    of labelled units ``sigmoid(x)``, and ``softmax(x)`` over the label.
    Parameters and errors as of :func:`hidden_layer`, the two sides exchanged.
    """
    native_module(hidden).visible_layer(
        model,
        hidden,
        row_bias,
        inverse_temperature,
        mean,
        sample,
        uniforms,
        seed,
        stream,
        first_row,
    )


@takes_arrays
def free_energy(
    model: RbmModel,
    visible: FloatArray,
    out: FloatArray | None = None,
    *,
    inverse_temperature: FloatArray | None = None,
) -> FloatArray:
    """Return ``F(v) = -log sum_h exp(-beta E(v, h))`` of each row of visible states.

    For Bernoulli hidden units ``beta * visible terms - sum_j softplus(beta * x_j)``; for Gaussian
    ones the integral over h, ``beta * visible terms - beta / 2 * sum_j x_j**2``, without the
    constant ``hidden / 2 * log(2 pi / beta)`` (Freund & Haussler 1992; Hinton 2010, section 16.1).

    Parameters
    ----------
    model : RbmModel
        With bernoulli or gaussian hidden units.
    visible : array, shape (rows, visible units)
    out : array, shape (rows,), optional
    inverse_temperature : array, shape (rows,), optional
        The beta of each row; 1 if not given.

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape, strides or overlap; rectified hidden units, whose free energy has no
        closed form.
    """
    if out is None:
        known = is_array(visible) and visible.ndim > 0
        out = empty(visible, visible.shape[:1]) if known else np.empty(0, np.float32)
    native_module(visible).free_energy(model, visible, inverse_temperature, out)
    return out


@takes_arrays
def label_energies(model: RbmModel, visible: FloatArray, out: FloatArray) -> None:
    """Write the free energy ``F(v, y)`` of each row of states v with each label y.

    ``softmax(-F)`` over a row is p(y | v), exactly: the hidden units are summed out (Hinton,
    Osindero & Teh 2006, section 6.2; Larochelle & Bengio 2008). The product of v and the weights
    is made once for all labels.

    Parameters
    ----------
    model : RbmModel
        With labelled visible and bernoulli or gaussian hidden units.
    visible : array, shape (rows, visible units - group_size)
        States of the units that are no label units; the rows must be contiguous.
    out : array, shape (rows, group_size)

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape, strides or overlap; other units.
    """
    native_module(visible).label_energies(model, visible, out)
