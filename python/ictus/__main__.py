"""``python -m ictus``: the command line."""

import sys

from ictus.cli import main

if __name__ == "__main__":
    sys.exit(main())
