"""
Beats of a recording
====================

The tracker that comes with ictus on a short recording (Vibe Ace by Kevin MacLeod, CC BY): features,
activations of the network, and the most probable path through the bar-pointer model.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from ictus import music

recording = next(
    folder / "examples/audio/vibe_ace.ogg"
    for folder in Path.cwd().resolve().parents
    if (folder / "examples/audio/vibe_ace.ogg").exists()
)
tracker = music.BeatTracker(music.load_networks([music.model_path("beats")]))
found = tracker.track(recording)
print(f"{len(found.times)} beats, {music.tempo_of_beats(found.times):.1f} beats a minute")

# %%
# What the network says, and what the decoder makes of it. Beats are where the activation is high
# *and* the tempo goes on.
frames = np.arange(len(found.activations)) / 100
shown = frames < 10
figure, axis = plt.subplots(figsize=(9, 2.6), layout="constrained")
axis.vlines(found.times[found.times < 10], 0, 1, color="0.8", lw=3, label="beats")
axis.plot(frames[shown], found.activations.reshape(len(frames), -1)[shown, 0], lw=1)
axis.set(xlabel="seconds", ylabel="activation", xlim=(0, 10))
axis.legend(loc="upper right")
plt.show()
