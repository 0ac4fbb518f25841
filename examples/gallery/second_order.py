"""
Training by curvature
=====================

Hessian-free optimisation (Martens 2010) on a deep autoencoder of synthetic curves from small random
weights, beside Adam for as many seconds. Each of its iterations minimises a quadratic model of the
loss by conjugate gradients; the matrix is never formed. In the first seconds a first-order method
is ahead; where curvature pays is in ``docs/hessian_free.md``.
"""

import time

import matplotlib.pyplot as plt

import ictus
from ictus import datasets

x = datasets.curves(2000, seed=0)


def autoencoder() -> ictus.Network:
    sizes = [100, 50, 25, 6, 25, 50, 100]
    layers = [
        ictus.Dense(units, "identity" if units == 6 else "sigmoid", initialization="sparse")
        for units in sizes
    ]
    last = ictus.Dense(784, initialization="sparse")
    return ictus.Network(784, [*layers, last], "binary_cross_entropy", seed=0)


# %%
# The same trainer drives both; for Hessian-free optimisation a minibatch is the whole set.
curves = {}
for name, rule, batch in [
    ("Hessian-free", ictus.HessianFree(curvature_size=500), 2000),
    ("Adam", ictus.Adam(0.003), 100),
]:
    started, seconds = time.perf_counter(), []

    def stop(trainer, epoch, started=started, seconds=seconds):
        seconds.append(time.perf_counter() - started)
        return seconds[-1] > 8

    trainer = ictus.Trainer(
        autoencoder(), rule, batch_size=batch, epochs=10_000, callbacks=[stop], progress=False
    )
    history = trainer.fit(x, x)
    curves[name] = (seconds, history["loss"])

# %%
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
for name, (seconds, loss) in curves.items():
    axis.plot(seconds, loss, label=name)
axis.set(xlabel="seconds", ylabel="cross-entropy of an image", yscale="log")
axis.legend()
plt.show()
