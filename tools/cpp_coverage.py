"""Says which share of the C++ lines ran, of a build with ICTUS_COVERAGE and what it was used for.

    python tools/cpp_coverage.py build/asan-ubsan [--least 90] [--missing]

A line counts once however many instruction-set levels and source files compile it, and has run
where any of them ran it. Templates that nothing uses are not compiled, so they do not count.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def counts(build: Path) -> dict[Path, dict[int, int]]:
    """Return, for each file of cpp/, how often each of its lines ran."""
    notes = sorted(str(path) for path in build.rglob("*.gcda"))
    if not notes:
        raise SystemExit(f"{build} has no counts: configure with -DICTUS_COVERAGE=ON and run tests")
    found: dict[Path, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for first in range(0, len(notes), 20):
        command = ["gcov", "--json-format", "--stdout", *notes[first : first + 20]]
        output = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=build
        ).stdout
        for text in output.splitlines():
            for file in json.loads(text)["files"]:
                path = (build / file["file"]).resolve()
                if path.is_relative_to(ROOT / "cpp"):
                    for line in file["lines"]:
                        found[path.relative_to(ROOT)][line["line_number"]] += line["count"]
    return found


def main() -> int:
    """Print a table and return whether the share is large enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("--least", type=float, default=0.0, help="percent, else exit with 1")
    parser.add_argument("--missing", action="store_true", help="name the lines that did not run")
    options = parser.parse_args()
    found = counts(options.build.resolve())
    for path, lines in sorted(found.items()):
        missing = sorted(number for number, count in lines.items() if count == 0)
        if missing:
            share = 100 * (1 - len(missing) / len(lines))
            named = f"  {', '.join(map(str, missing))}" if options.missing else ""
            print(f"{share:5.1f} %  {path}{named}")
    total = sum(map(len, found.values()))
    ran = sum(count > 0 for lines in found.values() for count in lines.values())
    share = 100 * ran / total
    print(f"C++ line coverage: {share:.1f} % ({ran} of {total} lines in {len(found)} files)")
    return 0 if share >= options.least else 1


if __name__ == "__main__":
    sys.exit(main())
