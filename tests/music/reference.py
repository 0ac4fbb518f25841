"""The definitions of features and of the bar pointer, written out in plain NumPy."""

from __future__ import annotations

import numpy as np


def triangular_matrix(size, rate, frequencies, unique):
    """Filters (bins, bands): triangles over the bins nearest to three frequencies, of sum 1."""
    bins = np.arange(size // 2) * rate / size
    nearest = np.array([np.argmin(np.abs(bins - f)) for f in frequencies])
    corners = sorted(set(nearest.tolist())) if unique else nearest.tolist()
    columns = []
    for left, middle, right in zip(corners, corners[1:], corners[2:], strict=False):
        column = np.zeros(size // 2)
        if right - left < 2:
            column[left] = 1
        else:
            for k in range(left, right):
                rising = (k - left) / (middle - left) if k < middle else 0
                column[k] = rising if k < middle else (right - k) / (right - middle)
        columns.append(column / column.sum())
    return np.array(columns).T


def octave_frequencies(per_octave, lowest, highest):
    n = np.arange(-20 * per_octave, 20 * per_octave)
    f = 440.0 * 2.0 ** (n / per_octave)
    return f[(f >= lowest) & (f <= highest)]


def mel_scale(number, lowest, highest):
    low, high = (1127.01048 * np.log(1 + f / 700.0) for f in (lowest, highest))
    return 700.0 * (
        np.exp((low + np.arange(number) * (high - low) / (number - 1)) / 1127.01048) - 1
    )


def short_time_magnitudes(signal, size, hop, causal=False):
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / (size - 1))
    frames = []
    for i in range(int(np.ceil(len(signal) / hop))):
        start = int(i * hop) - (size - 1 if causal else size // 2)
        frame = np.zeros(size)
        for at in range(max(start, 0), min(start + size, len(signal))):
            frame[at - start] = signal[at]
        frames.append(np.abs(np.fft.fft(frame * window))[: size // 2])
    return np.array(frames)


def increase(s, frames):
    out = np.zeros_like(s)
    for t in range(frames, len(s)):
        out[t] = np.maximum(s[t] - s[t - frames], 0)
    return out


def beat_states(intervals, observation_lambda, beats):
    """For every state: number of its beat, interval, and whether it observes the beat."""
    beat, interval, zone = [], [], []
    for b in range(beats):
        for length in intervals:
            for p in range(length):
                beat.append(b)
                interval.append(length)
                zone.append(p / length < 1 / observation_lambda)
    return np.array(beat), np.array(interval), np.array(zone)


def full_transitions(intervals, transition_lambda, beats):
    """The transition matrix of Krebs, Böck & Widmer 2015, (from, to)."""
    probability = np.exp(
        -transition_lambda
        * np.abs(np.array(intervals)[None, :] / np.array(intervals)[:, None] - 1.0)
    )
    probability[probability <= np.spacing(1.0)] = 0
    probability /= probability.sum(axis=1, keepdims=True)
    in_beat = sum(intervals)
    matrix = np.zeros((beats * in_beat,) * 2)
    first = np.concatenate([[0], np.cumsum(intervals)[:-1]])
    for b in range(beats):
        for i, length in enumerate(intervals):
            start = b * in_beat + first[i]
            for p in range(length - 1):
                matrix[start + p, start + p + 1] = 1
            for j in range(len(intervals)):
                to = (b + 1) % beats * in_beat + first[j]
                matrix[start + length - 1, to] = probability[i, j]
    return matrix


def viterbi(matrix, densities):
    """The best path by the textbook; densities (frames, states)."""
    with np.errstate(divide="ignore"):
        log_matrix, log_densities = np.log(matrix), np.log(densities)
    score = np.full(len(matrix), -np.log(len(matrix)))
    back = []
    for row in log_densities:
        candidates = score[:, None] + log_matrix
        back.append(candidates.argmax(axis=0))
        score = candidates.max(axis=0) + row
    path = [int(score.argmax())]
    for pointers in back[:0:-1]:
        path.append(int(pointers[path[-1]]))
    return np.array(path[::-1]), float(score.max())
