"""``python -m paramfit``."""

import sys

from paramfit.cli import main

if __name__ == "__main__":
    sys.exit(main())
