"""The page of results on melodies and chorales, from what the two experiments measured.

    python examples/melody_report.py

Reads docs/results/melody_tonality.json (examples/melody_tonality.py) and melody_chorales.json
(examples/chorales.py), writes docs/results/melody.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "results"

#: Nats a frame on the test part of the JSB chorales, as published: Boulanger-Lewandowski, Bengio &
#: Vincent 2012, table 1.
PUBLISHED = {
    "RBM": 7.43,
    "NADE": 7.19,
    "RTRBM": 6.35,
    "RNN-RBM": 6.27,
    "RNN-NADE": 5.83,
    "RNN-NADE, Hessian-free": 5.56,
}


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def share(value: float) -> str:
    return f"{100 * value:.1f} %"


def keys(facts: dict[str, Any]) -> str:
    found, pieces = facts["keys"], facts["pieces"]
    head = ["right keys (MIREX score)"] + [
        f"{pieces[kind]} {title}"
        for kind, title in (
            ("tunes", "held-out tunes"),
            ("sopranos", "sopranos of chorales"),
            ("chorales", "whole chorales"),
        )
    ]
    rows = []
    for name in found["tunes"]:
        cells = [
            f"{share(found[kind][name]['right'])} ({found[kind][name]['mirex']:.3f})"
            if name in found[kind]
            else "-"
            for kind in ("tunes", "sopranos", "chorales")
        ]
        rows.append([name, *cells])
    return table(head, rows)


def profiles(facts: dict[str, Any]) -> str:
    rows = [
        [name, f"{values['major']:.3f}", f"{values['minor']:.3f}"]
        for name, values in facts["profiles"].items()
    ]
    return table(["correlation with Krumhansl & Kessler", "major", "minor"], rows)


def maps(facts: dict[str, Any]) -> str:
    rows = [
        [
            name,
            f"{found['fifths']} of 12",
            share(found["radius_variation"]) if found["radius_variation"] > 1e-9 else "0",
            share(found["variance"]),
            f"{found['major_correlation']:.3f}",
            f"{found['correlation']:.3f}",
        ]
        for name, found in facts["maps"].items()
    ]
    head = [
        "space",
        "neighbours a fifth apart",
        "variation of the radius",
        "variance in the plane",
        "distances, major keys",
        "distances, all keys",
    ]
    return table(head, rows)


def surprise(facts: dict[str, Any]) -> str:
    rows = [[name, f"{bits:.3f}"] for name, bits in facts["bits"].items()]
    return table(["model", "bits a note"], rows)


def chords(facts: dict[str, Any]) -> str:
    ours = {
        "ictus: LSTM, notes of a chord one after another": facts["chords_lstm"],
        "ictus: the same without memory": facts["chords_alone"],
        "ictus: RBM of frames, 150 hidden units (log Z by annealed importance sampling)": facts[
            "frames_rbm"
        ],
    }
    rows = [
        [name, *(f"{found[part]:.2f}" for part in ("train", "valid")), f"**{found['test']:.2f}**"]
        for name, found in ours.items()
    ]
    rows += [[f"published: {name}", "", "", f"{value:.2f}"] for name, value in PUBLISHED.items()]
    return table(["nats a frame", "training", "validation", "test"], rows)


def harmonising(facts: dict[str, Any]) -> str:
    rows = []
    for name, found in facts.items():
        if isinstance(found, dict):
            same = ["-"] * 3 if name == "Bach" else [share(found[v]) for v in VOICES]
            rows.append(
                [
                    name,
                    *same,
                    share(found["chords"]),
                    f"{found['parallels']:.1f}",
                    share(found["crossings"]),
                    f"{found['leap']:.2f}",
                    share(found["moves"]),
                ]
            )
    head = [
        "lower voices by",
        *(f"{voice} as Bach's" for voice in VOICES),
        "known chords",
        "parallels in 100 steps",
        "crossings",
        "mean leap",
        "moves",
    ]
    return table(head, rows)


VOICES = ("alto", "tenor", "bass")


def main() -> None:
    tonal = json.loads((FOLDER / "melody_tonality.json").read_text())
    chorales = json.loads((FOLDER / "melody_chorales.json").read_text())
    (FOLDER / "melody.md").write_text(page(tonal, chorales))


def page(tonal: dict[str, Any], chorales: dict[str, Any]) -> str:
    """The whole page."""
    train, valid, test = tonal["tunes"]
    likelihood, tonality = tonal["likelihood"], tonal["tonality"]
    harmony = chorales["harmonising"]
    orders, weight = likelihood["orders"], likelihood["weight"]
    seconds = tonal["processor_seconds"] | chorales["processor_seconds"]
    times = ", ".join(f"{name} {value}" for name, value in seconds.items() if value)
    return f"""# Melodies, keys and chorales

What the models of `ictus.music.melody` ([../melody.md](../melody.md)) learn; what they write is
in [melody_examples.md](melody_examples.md). The pieces are used for these measurements alone:
neither they nor the trained models are part of ictus.

## Folk tunes: a Boltzmann machine of windows

{train + valid + test} tunes of the Nottingham collection that are one melody, repeats once,
{tonal["notes"]:,} notes and rests; {train} for training, {valid} for validation, {test} for the
test, split at random. Windows of {tonal["window"]} notes, {tonal["group_size"]} units a softmax
group, {tonal["hidden"]} hidden units, {tonal["epochs"]} epochs of persistent contrastive
divergence on all twelve transpositions.

### Surprise

Mean of -log2 p(pitch and duration of a note | what was before), rests and the end of a tune
included, on the {test} test tunes. All are exactly normalised over the same categories. The
machine sees {tonal["window"] - 1} notes back and was trained in all keys, which are equally
frequent to it; the n-grams and the LSTM were trained on the tunes in their own keys, seven of
ten of which are D or G major. Orders of the n-grams (pairs, pitches, durations: {orders[0]},
{orders[1]}, {orders[2]}) and the weight of the pairs ({weight:.2f}) are the best on the
validation tunes. The LSTM (`SequenceGenerator`) has no probability for pairs that training does
not have, so it is measured on the {likelihood["known"]} test tunes that have none, with the
n-grams beside it.

{surprise(likelihood)}

The machine was trained to model windows, not to predict, and the n-grams predict better; that
the joint model's conditional is not the best predictor is what the table is there to say.

### Keys found

Krumhansl-Schmuckler is the correlation of the durations of pitch classes with the profiles of
Krumhansl & Kessler, ictus's and partitura's `estimate_key` (the same algorithm). The centroids
are means over {tonality["taught"]} training tunes with their annotated keys, in all
transpositions: they were told keys, the others were not. MIREX score: 1 for the key, 0.5 for a
fifth, 0.3 for the relative, 0.2 for the parallel one. Chorales: keys as their kern files name
them.

{keys(tonality)}

The centroids' success is that of the labels and of any map that keeps the pitches: hidden units of
a machine that is not trained, a random map, do as well on tunes and better on sopranos. What only
the trained machine has is an expectation, and by it keys are found without a label in the first
row of the machine, with the taught tunes' mean profiles in the second.

### Expectation profiles

Pitch classes above the tonic; the machine's expectation averaged over the test tunes in their
keys, and after the contexts that listeners heard (scales, triads, cadences, here note by note,
in twelve keys).

{profiles(tonality)}

![profiles](melody_profiles.png)

### The map of keys

Centroids of the keys in a space: whether the twelve major keys in their plane of largest
variance lie in the order of fifths; the standard deviation of their distance from the middle
over its mean; and how the distances of keys correlate with 1 - correlation of the profiles. All of
this a machine that is not trained has, too: it is a random map of windows, and the tunes themselves
have the circle, as the shares of pitch classes show. So such a map says that keys are in the data
and are kept, not that a machine has learned them.
(For scale: an autoencoder on the Well-Tempered Clavier was
reported to give a variation of 8.5 %.)

{maps(tonality)}

![keys](melody_keys.png)

## Chorales: likelihood of frames

The standard set: quarter notes, transposed to C major or minor at the source, 229, 76 and 77
chorales. A frame is the set of keys that sound, of the 88 of a piano. Ours: log p of a chord
given all chords before it, summed over the notes of the chord from the highest down and its
end, each a softmax over the keys below the last note and the end, so that it is a normalised
probability of the set; averaged over all frames of all chorales, empty ones included. The end
of a chorale is not counted. The LSTM's inputs are the note before, the last two chords and the
time modulo 4; its epoch was chosen on the validation part. The published figures are
log-likelihoods a time step of piano rolls of the same 88 keys, split and quarter notes (table 1
of Boulanger-Lewandowski, Bengio & Vincent, ICML 2012, quoted from memory: the paper was not at
hand); those of RBMs are estimates by annealed importance sampling. They did not show their
networks the time.

{chords(chorales["likelihood"])}

Two models without memory are there to show what the past is worth: they are trained for seconds
and lie behind the published RBM and NADE. The interval of our RBM's test figure is
{chorales["likelihood"]["frames_rbm"]["interval"][0]:.2f} to
{chorales["likelihood"]["frames_rbm"]["interval"][1]:.2f} (log Z, three standard deviations).

## Sopranos harmonised

{harmony["chorales"]} test chorales in quarter notes, {harmony["steps"]} steps, in their own
keys; models trained on the training part in seven transpositions. Given is the soprano. A known
chord is a triad or seventh chord, whole or in part; parallels are perfect fifths and octaves
between any two voices that both move; the mean leap of the lower voices is in semitones, where
they move. The exact negative log-likelihood of Bach's lower voices under the LSTM, the soprano
given, is {harmony["LSTM"]["nats"]:.2f} nats a step (three voices). The other two have no
tractable likelihood.

{harmonising(harmony)}

Processor seconds of training where they were measured: {times}.

Made by `python examples/melody_tonality.py`, `python examples/chorales.py --chorales
{harmony["chorales"]}` and `python examples/melody_report.py`.
"""


if __name__ == "__main__":
    main()
