"""`loopdeck` and `python -m loopdeck`."""

import sys

from loopdeck.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
