"""
Remembering over a hundred steps
================================

The adding problem of Hochreiter & Schmidhuber 1997: of a hundred random numbers two are marked, and
the answer depends on their sum. LSTM learns to keep them; a plain tanh network, trained in the same
way, does not get beyond the mean in this time.
"""

import matplotlib.pyplot as plt
import numpy as np

import ictus
from ictus import datasets

x, y = datasets.adding(2000, 100, seed=0)
x_test, y_test = datasets.adding(200, 100, seed=1)

# %%
# Sequences are lists of arrays of any lengths; ``output="last"`` gives the last frame's state.
errors = {}
for layer in [ictus.LSTM(16, output="last"), ictus.Recurrent(16, output="last")]:
    network = ictus.SequenceNetwork(2, [layer, ictus.Dense(1)], "squared_error", seed=1)
    rule = ictus.Adam(0.01, clip_norm=1.0)
    trainer = ictus.SequenceTrainer(network, rule, batch_size=25, epochs=20, progress=False)
    history = trainer.fit(x, y, validation=(x_test, y_test))
    errors[type(layer).__name__] = history["validation_loss"]

# %%
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
for name, values in errors.items():
    axis.semilogy(np.arange(1, len(values) + 1), values, label=name)
axis.set(xlabel="epoch", ylabel="squared error / 2, unseen")
axis.legend()
plt.show()
