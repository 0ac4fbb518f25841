"""What ``ictus train`` does after Ctrl-C: write the model, measure and draw nothing more."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

STATUS = 130
SENTENCE = "ictus: interrupted; the model so far is saved"


def save_interrupted(
    options: argparse.Namespace, model: Any, result: dict[str, Any], provenance: str
) -> int:
    """Write the model, say what was done and why it ended, and return the exit status.

    Parameters
    ----------
    options : Namespace
    model : estimator
    result : dict
        Data, epochs, seconds, and why training ended; without what is measured on test examples,
        which would let the user wait.
    provenance : str
        The command, for the model's card.
    """
    from ictus import save

    save(options.output, model, {"training_data": result["data"], "provenance": provenance})
    result = result | {"model": options.output}
    if options.json:
        print(json.dumps(result))
    else:
        epochs = result["epochs"]
        total = " + ".join(map(str, epochs)) if isinstance(epochs, list) else epochs
        print(f"{total} epochs in {result['seconds']} s ({result['stopped']})")
        print(f"model written to {options.output}")
    print(SENTENCE, file=sys.stderr)
    return STATUS
