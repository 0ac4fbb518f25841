"""The page of hochreiter_1997.py: its results beside those of Hochreiter & Schmidhuber 1997."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from hochreiter_experiments import EXPERIMENTS, Experiment

COMMAND = "python examples/hochreiter_1997.py"

INTRODUCTION = """# The experiments of Hochreiter & Schmidhuber 1997

How many training sequences an LSTM needs until the paper's own criterion is met. The sequences
are those of the paper's section 5 (`ictus.datasets`), and so are the criteria; what learns is
today's: full backpropagation through time and Adam, where the paper has truncated gradients and
plain stochastic gradient descent.

Every sequence that is presented counts, in minibatches too. Settings were chosen on seeds from
1000 on; the seeds of the table, 0 and up, were run once. A run that has not met its criterion
within the budget counts as a failure, and with its budget in the median. "Wrong" is the share of
2,560 new sequences that the trained network gets wrong by the paper's limit of the error, median
and mean over seeds; a network that meets the criterion early stops early, and need not be better
than it asks. Figures of the paper are those of its LSTM, in 1 its best row, in 3 the later of two
criteria, which is ours; a dash means that the figure was not at hand. Weights count biases.

"""

NOTES = """
Criteria are checked after every 100 training sequences (20 for time lags of 500 and more). Those
of 2 are tested with the weights held, those of 4 to 6 on the errors of the last 2,000 training
sequences, each before the network learns from it, so that no run can take fewer than 2,000. In 1,
256 strings are drawn for training, and 256 others for the test. The test set of 3 is drawn once a
run. In 3b with N = 1 the class of 1.27 % of all sequences cannot be known (noise turns the sign
of the only element that tells it): 3.2 of 256 on average, where the criterion allows 5. 3c has no
noise on its informative elements, since the paper's share of wrong ones is below what that would
leave.

## What mattered

Input gates that are almost closed at first, as in the paper's experiments 4 and 5. With a bias of
0 every cell fills with what it reads in a hundred steps, and its squashed output loses its slope:
four cells without forget gates (minibatches of 4, tuning seeds) solved the adding problem in none
of three runs of 74,000 sequences, with a bias of -3 in three of three, after 22,600 to 51,300.
For time lags from 500 on the bias is -5: with -3, lag 1,000 of 2c was not learnt in 6,000
sequences (three runs), with -5 in 400 to 600.

In 3b with T = 1000 and N = 1 a network must know that the first element is the first, since noise
looks like it later. With one bias for all cells (-4, minibatches of 32) it did not find out: both
seeds that were run, 0 and 1, had spent their budget with 4.5 % wrong. One cell with an open input
gate fills at once and tells the others that the sequence has begun; the biases are then 0, -2, -4
and -6, as the paper spreads them in its experiment 6, and minibatches of 8. Tuning seeds 1000 and
1001 met the criterion after 52,700 and 256,200 sequences; in minibatches of 16, seed 1000 had not
after 485,080 (2.5 % wrong).

Forget gates are not needed: where there are none (`forget_gate=False`, the cell of 1997), a cell
has a quarter fewer weights. Where there are, their first bias is the logarithm of T.

In 2a all steps but the last want what the last symbol alone tells, so the network sees its input
beside its cells (`skip=True`). Adam, whose steps do not depend on the size of a gradient, makes
the cells help with those steps at once, which saturates them for good; so the first 1,500
sequences are learnt by plain gradient descent (rate 100 of the mean loss over steps) behind
closed gates, until the direct weights have done that work.

## Gradients through time

![gradients](hochreiter_1997.png)

The length of the gradient of the last output with respect to the input of a step, over the time
lag between them, each divided by that at lag 0: untrained networks of 32 units on Gaussian noise,
median of {networks} initial weights. The gradient of the tanh network and of the LSTM with a
forget bias of 0 vanish exponentially; a forget bias slows the decay, and without forget gates
there is a path without any. Made by `python examples/vanishing_gradients.py`.
"""


def median(runs: list[dict[str, Any]], key: str = "sequences") -> float | None:
    values = [run[key] for run in runs if run.get(key) is not None]
    return float(np.median(values)) if values else None


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2g} %"


def rows(name: str, experiment: Experiment, runs: list[dict[str, Any]]) -> str:
    paper = experiment.published
    solved = sum(run["solved"] for run in runs)
    sequences = [run["sequences"] for run in runs]
    wrong = [run["test_wrong_of_2560"] / 2560 for run in runs if "test_wrong_of_2560" in run]
    cells = [
        experiment.title,
        number(paper.get("weights")),
        number(paper["sequences"]),
        share(paper.get("test_wrong")),
        number(runs[0]["weights"]),
        f"{solved}/{len(runs)}",
        f"**{number(median(runs))}**",
        f"{min(sequences):,}-{max(sequences):,}",
        f"{share(float(np.median(wrong)))}, {share(float(np.mean(wrong)))}" if wrong else "-",
    ]
    return f"| {' | '.join(cells)} |"


def setting(name: str, e: Experiment) -> str:
    gates = "none" if not e.cell.get("forget_gate", True) else f"bias {e.cell['forget_bias']:.2g}"
    cells = [
        f"`{name}`",
        e.criterion,
        str(e.cells),
        gates,
        f"{' '.join(f'{bias:g}' for bias in np.atleast_1d(e.input_bias))}, {e.output_bias:g}",
        f"{e.cell.get('scale', 1):g}",
        f"{e.learning_rate:g}" + (f" from {e.plain:,} on" if e.plain else ""),
        str(e.batch_size),
        f"{e.budget:,}",
    ]
    return f"| {' | '.join(cells)} |"


def write(folder: Path) -> None:
    """Write hochreiter_1997.md from the runs in hochreiter_1997.json."""
    from vanishing_gradients import NETWORKS

    results = json.loads((folder / "hochreiter_1997.json").read_text())
    own = {name: list(results[name].values()) for name in EXPERIMENTS if name in results}
    lines = [
        "| experiment | paper: weights | sequences | wrong | ictus: weights | solved | sequences,"
        " median | range | wrong: median, mean |",
        "|---|---|---|---|---|---|---|---|---|",
        *(rows(name, EXPERIMENTS[name], runs) for name, runs in own.items()),
    ]
    settings = [
        "## Settings",
        "",
        "One layer of LSTM cells and a linear one with softmax (1, 2, 6), logistic (3a, 3b) or\n"
        "squared error (3c, 4, 5). Adam with gradients clipped to a length of 1. Scale: factor of\n"
        "the LSTM's initial weights (Glorot & Bengio's for inputs, orthogonal recurrent ones).",
        "",
        "| name | criterion | cells | forget gates | input, output gate bias | scale |"
        " learning rate | batch | budget |",
        "|---|---|---|---|---|---|---|---|---|",
        *(setting(name, EXPERIMENTS[name]) for name in own),
    ]
    seconds = sum(run["seconds"] for runs in own.values() for run in runs)
    notes = NOTES.format(networks=NETWORKS)
    missing = [name for name in EXPERIMENTS if name not in own or len(own[name]) < 10]
    ending = [
        f"Made by `{COMMAND}`, which goes on where it was; all runs together took "
        f"{seconds / 60:.0f} minutes on one thread of a machine that had other work too.",
    ]
    if missing:
        ending += [
            "",
            "Not all of 10 seeds were run of "
            + ", ".join(f"`{name}` ({len(own.get(name, ()))})" for name in missing)
            + f": `{COMMAND} --experiment {' '.join(missing)}` goes on.",
        ]
    text = "\n".join([*lines, "", *settings])
    (folder / "hochreiter_1997.md").write_text(
        INTRODUCTION + text + "\n" + notes + "\n" + "\n".join(ending) + "\n"
    )
