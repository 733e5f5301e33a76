"""`python -m lar` is the `lar` command."""

import sys

from lar.cli import main

if __name__ == "__main__":
    sys.exit(main())
