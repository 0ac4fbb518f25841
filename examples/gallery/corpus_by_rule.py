"""
Music by rule
=============

Pieces composed and rendered by :mod:`ictus.music.synthesis`: beats, onsets and sections are known
exactly, so they can train and test any detector.
"""

import matplotlib.pyplot as plt
import numpy as np

from ictus import music
from ictus.music.synthesis import compose, render

score = compose(7, seconds=8.0, style="waltz")
recording = render(score, seed=1, synthesizer="builtin", sample_rate=44_100)
spectrogram = music.boundary_features()(recording.audio)

# %%
# The mel spectrogram with onsets (below) and beats (above, downbeats high).
figure, axis = plt.subplots(figsize=(9, 3.2), layout="constrained")
seconds = len(recording.audio) / recording.sample_rate
axis.imshow(spectrogram.T, origin="lower", aspect="auto", extent=(0, seconds, 0, 80), cmap="magma")
axis.plot(recording.onsets, np.full(len(recording.onsets), 2), "|", color="w", ms=6)
for beat, number in np.asarray(recording.beats):
    axis.axvline(beat, 0.8 if number == 1 else 0.9, color="c")
axis.set(xlabel="seconds", ylabel="mel band", xlim=(0, seconds))
plt.show()
