"""
Remembering over a hundred steps
================================

The adding problem of Hochreiter & Schmidhuber 1997: of a hundred random numbers two are marked, and
the answer depends on their sum. The LSTM of that paper, which has no forget gates, learns to keep
them; a plain tanh network, trained in the same way, does not get beyond the mean answer in this
time, nor does an LSTM whose forget gates leak at first.
"""

import matplotlib.pyplot as plt
import numpy as np

import ictus
from ictus import datasets

x, y = datasets.adding(20_000, 100, seed=0)
unseen = datasets.adding(200, 100, seed=1)

# %%
# Sequences are lists of arrays of any lengths; ``output="last"`` gives the last frame's state.
layers = {
    "LSTM, 1997": ictus.LSTM(8, output="last", forget_gate=False),
    "LSTM with forget gates": ictus.LSTM(8, output="last"),
    "tanh": ictus.Recurrent(16, output="last"),
}
errors = {}
for name, layer in layers.items():
    network = ictus.SequenceNetwork(2, [layer, ictus.Dense(1)], "squared_error", seed=1)
    rule = ictus.Adam(0.005, clip_norm=1.0)
    trainer = ictus.SequenceTrainer(network, rule, batch_size=20, epochs=12, progress=False)
    errors[name] = trainer.fit(x, y, validation=unseen)["validation_loss"]

# %%
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
for name, values in errors.items():
    axis.semilogy(np.arange(1, len(values) + 1), values, label=name)
axis.axhline(unseen[1].var() / 2, color="0.7", ls=":", label="the mean answer")
axis.set(xlabel="epoch", ylabel="squared error / 2, unseen")
axis.legend()
plt.show()
