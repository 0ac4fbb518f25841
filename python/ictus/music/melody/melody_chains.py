"""Melodies drawn from a machine of windows: note by note, and around what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ictus.models.boltzmann.rbm import RBM
from ictus.music.melody.encoding import BOUNDARY, REST_CODE
from ictus.music.melody.prediction import next_note_log_probabilities
from ictus.music.melody.score import Melody, ScoreError

if TYPE_CHECKING:
    from ictus.music.melody.melody_rbm import MelodyRBM

Array = NDArray[Any]


def check_temperature(temperature: float) -> float:
    """Return it; ValueError where it is not positive and finite."""
    if not temperature > 0 or not np.isfinite(temperature):
        raise ValueError(f"temperature must be positive and finite, got {temperature!r}")
    return float(temperature)


def draw(log_p: Array, temperature: float, generator: Any) -> int:
    """Draw the index of a category from log-probabilities (unnormalised) at a temperature."""
    logits = log_p.astype(np.float64) / temperature
    p = np.exp(logits - logits.max())
    return int(generator.choice(len(p), p=p / p.sum()))


def sample(
    model: MelodyRBM, temperature: float, start: Melody | None, max_notes: int, generator: Any
) -> Melody:
    """Draw a melody; see :meth:`MelodyRBM.sample`."""
    temperature = check_temperature(temperature)
    encoding, before = model.encoding_, model.window - 1
    codes = [] if start is None else encoding.codes(start).tolist()
    drawn: list[list[int]] = [[BOUNDARY, BOUNDARY]] * before + codes
    while len(drawn) - before < max_notes:
        context = np.array(drawn[-before:])[None]
        log_p = next_note_log_probabilities(model.rbm_, encoding, context)[0]
        if len(drawn) == before:  # a melody begins with a note
            log_p[BOUNDARY] = log_p[REST_CODE] = -np.inf
        pitch, duration = divmod(draw(log_p.ravel(), temperature, generator), log_p.shape[1])
        if pitch == BOUNDARY:
            break
        drawn.append([pitch, duration])
    return encoding.melody(np.array(drawn[before:]), None if start is None else start.key)


def missing_notes(missing: Any, notes: int) -> Array:
    """Return which notes are missing, of bool, from a mask or from numbers."""
    given = np.asarray(missing)
    if given.dtype == bool:
        if given.shape != (notes,):
            raise ValueError(f"missing must have shape ({notes},), got {given.shape}")
        mask = given
    else:
        numbers = given.astype(np.int64).ravel()
        if len(numbers) and not (numbers.min() >= 0 and numbers.max() < notes):
            raise ValueError(f"missing must name notes from 0 to {notes - 1}, got {given.tolist()}")
        mask = np.zeros(notes, bool)
        mask[numbers] = True
    if not mask.any():
        raise ValueError("missing must name at least one note, got none")
    if mask.all():
        raise ScoreError("all notes are missing: sample a new melody instead")
    return mask


def complete(
    model: MelodyRBM,
    melody: Melody,
    missing: Any,
    generator: Any,
    *,
    keep_durations: bool,
    sweeps: int,
    chains: int,
) -> Melody:
    """Fill in missing notes; see :meth:`MelodyRBM.complete`."""
    mask = missing_notes(missing, len(melody))
    if sweeps < 1 or chains < 1:
        raise ValueError(f"sweeps and chains must be positive, got {sweeps} and {chains}")
    encoding, size = model.encoding_, model.window
    known = Melody(np.where(mask, melody.pitches[~mask].max(), melody.pitches), melody.durations)
    codes = encoding.codes(known)
    edge = np.zeros((size - 1, 2), np.int64)
    state = np.tile(np.concatenate([edge, codes, edge]), (chains, 1, 1))
    open_codes = np.zeros((state.shape[1], 2), bool)
    open_codes[size - 1 : size - 1 + len(codes)] = mask[:, None] & [True, not keep_durations]
    weights = _Weights(model.rbm_, encoding.group_size)
    allowed = np.full((2, encoding.group_size), -np.inf)
    allowed[0, REST_CODE + 1 : encoding.pitch_count] = 0.0
    allowed[1, BOUNDARY + 1 : encoding.duration_count] = 0.0
    places = np.flatnonzero(open_codes.any(1))
    _fill(state, open_codes, model, generator)
    first, last = max(places[0] - size + 1, 0), min(places[-1], state.shape[1] - size)
    firsts = [f for f in range(first, last + 1) if open_codes[f : f + size].any()]
    for _ in range(sweeps):
        for first in generator.permutation(firsts):
            window = state[:, first : first + size]
            hidden = weights.draw_hiddens(window, generator)
            for place, kind in np.argwhere(open_codes[first : first + size]):
                logits = weights.inputs(hidden, place, kind) + allowed[kind]
                gumbel = generator.gumbel(size=logits.shape)
                window[:, place, kind] = (logits + gumbel).argmax(1)
    energies = sum(
        model.rbm_.free_energy(encoding.one_hot(state[:, f : f + size])).astype(float)
        for f in firsts
    )
    best = state[int(np.argmin(energies)), size - 1 : size - 1 + len(codes)]
    found = encoding.melody(best)
    durations = np.where(mask & (not keep_durations), found.durations, melody.durations)
    pitches = np.where(mask, found.pitches, melody.pitches)
    return Melody(pitches, durations, melody.key, melody.metre, melody.upbeat, melody.title)


def _fill(state: Array, open_codes: Array, model: MelodyRBM, generator: Any) -> None:
    """Begin the chains with notes drawn one after another from what is before them."""
    encoding, before = model.encoding_, model.window - 1
    for place in np.flatnonzero(open_codes.any(1)):
        context = state[:, place - before : place]
        log_p = next_note_log_probabilities(model.rbm_, encoding, context)
        log_p[:, : REST_CODE + 1] = -np.inf
        for chain, table in enumerate(log_p):
            if not open_codes[place, 1]:
                duration = state[chain, place, 1]
                state[chain, place, 0] = draw(table[:, duration], 1.0, generator)
            else:
                state[chain, place] = divmod(draw(table.ravel(), 1.0, generator), table.shape[1])


class _Weights:
    """The weights of a machine by group, for chains on codes."""

    def __init__(self, rbm: RBM, group_size: int) -> None:
        self.groups = rbm.weights.reshape(-1, group_size, rbm.hidden_units).astype(np.float64)
        self.visible = rbm.visible_bias.reshape(-1, group_size).astype(np.float64)
        self.hidden = rbm.hidden_bias.astype(np.float64)

    def draw_hiddens(self, codes: Array, generator: Any) -> Array:
        """Hidden states given codes, shape (chains, size, 2)."""
        flat = codes.reshape(len(codes), -1)
        x = self.hidden + self.groups[np.arange(flat.shape[1]), flat].sum(1)
        x = np.clip(x, -60.0, 60.0)
        return np.asarray(generator.random_sample(x.shape) < 1.0 / (1.0 + np.exp(-x)))

    def inputs(self, hidden: Array, place: int, kind: int) -> Array:
        """Inputs of the units of a group given hidden states."""
        group = 2 * place + kind
        return np.asarray(hidden @ self.groups[group].T + self.visible[group])
