"""A character model of folk tunes: trains, measures, and writes new tunes.

The tunes are those of the Nottingham collection in ABC notation ($ICTUS_DATA/nottingham), which are
not part of ictus; abc_notation.py has what is left of them and how bars are checked. Writes
docs/results/abc_tunes.md and .json.

    python examples/abc_tunes.py
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from abc_notation import check, read_tunes

import ictus
from ictus import datasets
from ictus.music.melody import NGram

ARCHIVE = "nottingham/nottingham_abc_midi.tar.gz"
TEMPERATURES = (0.4, 0.6, 0.8, 1.0, 1.2)
SHOWN = (0.6, 0.8, 1.0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    default = datasets.data_folder()
    parser.add_argument("--data", type=Path, default=default, required=default is None)
    parser.add_argument("--units", type=int, nargs="+", default=[256])
    parser.add_argument("--dropout", type=float, default=0.5)
    parser.add_argument("--learning-rate", type=float, default=0.003)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--samples", type=int, default=100, help="new tunes at each temperature")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint", type=Path, help="training goes on where it was")
    output = Path(__file__).resolve().parents[1] / "docs" / "results"
    parser.add_argument("--output", type=Path, default=output)
    return parser.parse_args()


def split(tunes: list[str], seed: int) -> tuple[list[str], list[str], list[str]]:
    """Tunes for training, for validation (a tenth), and for the test (a tenth)."""
    order = np.random.default_rng(seed).permutation(len(tunes))
    tenth = len(tunes) // 10
    test, valid, train = order[:tenth], order[tenth : 2 * tenth], order[2 * tenth :]
    return ([tunes[i] for i in part] for part in (train, valid, test))  # type: ignore[return-value]


def longest_copy(tune: str, corpus: str) -> int:
    """Characters of the longest part of a tune that is in the corpus."""
    longest = 0
    for first in range(len(tune)):
        while tune[first : first + longest + 1] in corpus and first + longest < len(tune):
            longest += 1
    return longest


def quality(tunes: list[str], corpus: str) -> dict[str, float]:
    """How many tunes are valid, how many bars, and how much is copied."""
    checked = [check(tune) for tune in tunes]
    return {
        "valid": float(np.mean([valid for valid, _ in checked])),
        "balanced_bars": float(np.mean([share for _, share in checked])),
        "longest_copy": float(np.median([longest_copy(tune, corpus) for tune in tunes])),
        "length": float(np.median([len(tune) for tune in tunes])),
    }


def train(options: argparse.Namespace, tunes: list[str]) -> ictus.SequenceGenerator:
    """Train; early stopping looks at a tenth of these tunes."""
    model = ictus.SequenceGenerator(
        tuple(options.units),
        embedding_units=32,
        dropout=options.dropout,
        learning_rate=options.learning_rate,
        max_epochs=options.epochs,
        batch_size=8,
        early_stopping=True,
        patience=4,
        random_state=options.seed,
        progress=None,
        checkpoint=options.checkpoint,
    )
    return model.fit(tunes)


def main() -> None:
    options = parse()
    tunes = read_tunes(options.data / ARCHIVE)
    training, validation, test = split(tunes, options.seed)
    started = time.perf_counter()
    model = train(options, training + validation)
    seconds = time.perf_counter() - started
    characters = sum(len(tune) + 1 for tune in test)
    bits = -float(model.log_likelihood(test).sum()) / np.log(2) / characters
    orders = {n: NGram(n).fit(training).bits(validation) for n in range(2, 13)}
    best = min(orders, key=orders.__getitem__)
    corpus = "\n\n".join(training + validation)
    facts: dict[str, Any] = {
        "bits_per_character": bits,
        "ngram_bits_per_character": NGram(best).fit(training + validation).bits(test),
        "unigram_bits_per_character": NGram(1).fit(training + validation).bits(test),
        "ngram_order": best,
        "tunes": [len(training) + len(validation), len(test)],
        "characters": sum(map(len, tunes)),
        "parameters": model.network_.parameter_count,
        "epochs": model.n_iter_,
        "training_seconds": round(seconds, 1),
        "test_tunes": quality(test, corpus),
        "samples": {},
    }
    shown: dict[float, list[str]] = {}
    for temperature in TEMPERATURES:
        generator = np.random.RandomState(options.seed)
        drawn = [
            model.sample(temperature=temperature, random_state=generator)
            for _ in range(options.samples)
        ]
        facts["samples"][str(temperature)] = quality(drawn, corpus)
        shown[temperature] = drawn[:2]
    print(json.dumps(facts, indent=1))
    write(options, facts, shown)


def write(
    options: argparse.Namespace, facts: dict[str, Any], shown: dict[float, list[str]]
) -> None:
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "abc_tunes.json").write_text(json.dumps(facts, indent=1) + "\n")
    row = "| {} | {:.0%} | {:.1%} | {:.0f} | {:.0f} |".format
    names = ("valid", "balanced_bars", "longest_copy", "length")
    table = [
        row(f"samples, temperature {t}", *(facts["samples"][str(t)][n] for n in names))
        for t in TEMPERATURES
    ] + [row("held-out tunes", *(facts["test_tunes"][n] for n in names))]
    examples = "\n\n".join(
        f"Temperature {t}, the first {len(shown[t])} drawn:\n\n"
        + "\n\n".join(f"```text\nX:{i}\n{folded(one)}\n```" for i, one in enumerate(shown[t], 1))
        for t in SHOWN
    )
    train_count, test_count = facts["tunes"]
    units = "-".join(map(str, options.units))
    (options.output / "abc_tunes.md").write_text(
        f"""# Folk tunes, character by character

`SequenceGenerator` learns {train_count} tunes of the Nottingham collection in ABC notation (a tenth
of them for early stopping) and is tested on {test_count} others, split at random by seed
{options.seed}. A tune is its metre, its key and its melody in one line, {facts["characters"]:,}
characters in all; chord symbols, titles and repeated tunes are left away. The collection is used
for this measurement alone: neither tunes nor trained model are part of ictus.

Embedding 32, LSTM {units}, dropout {options.dropout:g}, Adam {options.learning_rate:g}, minibatches
of 8 tunes; {facts["parameters"]:,} parameters, {facts["epochs"]} epochs,
{facts["training_seconds"]:.0f} seconds (on a machine that had other work too).

| model | bits per character, held-out tunes |
|---|---|
| ictus, LSTM | **{facts["bits_per_character"]:.3f}** |
| n-gram, order {facts["ngram_order"]}, Witten-Bell | {facts["ngram_bits_per_character"]:.3f} |
| frequencies of single characters | {facts["unigram_bits_per_character"]:.3f} |

The order of the n-gram is the best of 2 to 12 on the validation tunes. The end of a tune counts as
a character.

## New tunes

{options.samples} tunes at each temperature. Valid: a header, at least four bars, nothing else than
notes, rests, bars, repeats, ties and tuplets, and every bar has the length of the metre (bars
beside a double bar, a repeat or an end may be shorter). Copied: the median over tunes of the
longest run of characters, header included, that is in a training tune.

| | valid tunes | balanced bars | longest copied run | characters |
|---|---|---|---|---|
{chr(10).join(table)}

{examples}

Made by `python examples/abc_tunes.py`.
"""
    )


def folded(tune: str) -> str:
    """The tune in lines of at most 90 characters, broken behind bars; with its unit."""
    metre, _, rest = tune.partition("\n")
    unit = "L:1/8" if metre.endswith("/8") else "L:1/4"
    key, _, body = rest.partition("\n")
    lines, line = [], ""
    for bar in body.replace("|", "|\n").splitlines():
        if len(line) + len(bar) > 90:
            lines.append(line)
            line = ""
        line += bar
    return "\n".join([metre, unit, key, *lines, line])


if __name__ == "__main__":
    main()
