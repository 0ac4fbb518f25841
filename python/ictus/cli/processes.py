"""Commands that ``mpiexec`` starts several times work together."""

from __future__ import annotations

import os
from typing import Any

#: Where starters of MPI say how many processes there are.
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_SIZE", "MV2_COMM_WORLD_SIZE")


def communicator() -> Any:
    """Return mpi4py's communicator where ``mpiexec`` started several processes, else None.

    Raises
    ------
    ValueError
        There are several, and mpi4py is not installed or finds no library of MPI.
    """
    count = next((os.environ[name] for name in SIZES if name in os.environ), "1")
    if not count.isdigit() or int(count) < 2:
        return None
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise ValueError(
            f"{count} processes were started together, which needs mpi4py: pip install "
            f"'ictus[mpi]' ({error.args[0] if error.args else error})"
        ) from None
    return MPI.COMM_WORLD
