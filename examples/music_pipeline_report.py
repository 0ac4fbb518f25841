"""The page of results that examples/music_pipeline.py writes."""

from __future__ import annotations

from typing import Any

# madmom's development version, measured on a machine of the same kind (two cores).
MADMOM = {
    "beat features, 266 wide": "0.009 to 0.012",
    "BLSTM 3x25": "0.0174",
    "decoding of beats": "0.0021",
}

HEAD = """# From audio to beats

Written by `python examples/music_pipeline.py` (part `madmom` with `--madmom`, the folder of its
models). Processor times of one thread.
"""


def speed(r: dict[str, Any]) -> str:
    rows = [
        "| part of the way | s for a second of audio | times real time | madmom |",
        "|---|---|---|---|",
    ]
    for name, value in r.items():
        rows.append(f"| {name} | {value:.6f} | {1 / value:,.0f} | {MADMOM.get(name, '')} |")
    return "\n".join(["## Time", "", *rows, ""])


def decoder(r: dict[str, Any]) -> str:
    sets = ", ".join(f"{name} {n} of {r['tracks'][name]}" for name, n in r["equal"].items())
    return f"""## The decoder

Beats from published activations of the reference implementation, beside its published detections
(default settings), equal to the printed hundredth of a second: **{sum(r["equal"].values())} of
{sum(r["tracks"].values())} tracks** ({sets}), {r["hours"]:.2f} hours,
{r["cpu_per_second"]:.6f} s for a second of audio; back-pointers of three minutes take
{r["back_pointers_of_3_minutes_mb"]:.1f} MB (madmom: 404 MB).
"""


def long(r: dict[str, Any]) -> str:
    return f"""## Three hours in one file

Blocks of 10 s, {r["frames"]:,} frames. Resident memory {r["start_mb"]:.0f} MB before,
{r["features_mb"]:.0f} MB at most while features are made ({r["features_cpu"]:.1f} s);
{r["all_peak_mb"]:.0f} MB at most with a BLSTM 3x25 and decoding ({r["all_cpu"]:.1f} s in all). The
network has random weights, so its activations say nothing and no back-pointers can be dropped:
the worst case.
"""


def live(r: dict[str, Any]) -> str:
    hours = r["hours"]
    ends = [f"{hour} h" for hour in (1, max(hours // 2, 1), hours)]
    memory = ", ".join(f"{r['resident_mb'][end]:.1f} MB after {end}" for end in dict.fromkeys(ends))
    counts = list(r["beats"].values())
    median, high = r["push_ms"]
    return f"""## Live input

{hours} hours of a recording, again and again, in pieces of a tenth of a second through the online
model that ictus brings ({r["features"]} features, LSTM {len(r["network"])}x{r["network"][0]}) and
forward decoding: {100 * r["cpu_share"]:.2f} % of a processor; resident memory {memory};
{min(counts)} to {max(counts)} beats in each hour. A piece takes {median:.2f} ms (99.9th percentile
{high:.2f} ms). The model hears {r["latency_ms"]:.0f} ms ahead: decisions come so much later, and
what the pieces take in which samples come; the times it gives are those of the
beats.{r.get("note", "")}
"""


def live_random(r: dict[str, Any]) -> str:
    memory = ", ".join(f"{value:.1f} MB after {name}" for name, value in r["resident_mb"].items())
    return f"""Before, {r["hours"]} hours of noise through a network with random weights (162 causal
features, LSTM 3x25): {100 * r["cpu_share"]:.2f} % of a processor, resident memory {memory}.
"""


def damage(r: dict[str, Any]) -> str:
    names = ["error", "samples and a warning", "samples"]
    rows = ["| files | " + " | ".join(names) + " |", "|---|---|---|---|"]
    for kind, count in r.items():
        rows.append(f"| {kind} | " + " | ".join(str(count.get(n, 0)) for n in names) + " |")
    text = (
        "Every file gave samples, or an `AudioFileError` that names it. Wrong bytes in PCM\n"
        "samples are sounds like any other."
    )
    return "\n".join(["## Damaged files", "", *rows, "", text, ""])


def madmom(r: dict[str, Any]) -> str:
    rows = ["| networks | largest difference | with its scale of 16-bit samples |", "|---|---|---|"]
    for name, (plain, scaled) in r["differences"].items():
        rows.append(f"| {name} | {plain:.1e} | {scaled:.1e} |")
    scores = [
        "| recording | F, its settings | F, ours: silence has no beats | F, online ensemble |",
        "|---|---|---|---|",
    ]
    means = [sum(column) / len(column) for column in zip(*r["f"].values(), strict=True)]
    for name, row in [*r["f"].items(), ("mean", means)]:
        scores.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in row) + " |")
    return "\n".join(
        [
            "## madmom's networks",
            "",
            "Activations from the samples of its test recording, beside those it stored:",
            "",
            *rows,
            "",
            "Its ensembles on real recordings, with features and decoding of ictus (mir_eval,",
            "70 ms; with madmom itself: 0.992 in the mean of the eight MusicDelta tracks, 0.952",
            "and 1.0 on the excerpts):",
            "",
            *scores,
            "",
        ]
    )


def page(results: dict[str, Any]) -> str:
    """Return the page; parts that were not measured are left out."""
    parts = [decoder, speed, long, live, live_random, madmom, damage]
    return "\n".join([HEAD, *(p(results[p.__name__]) for p in parts if p.__name__ in results)])
