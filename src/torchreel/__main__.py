"""``python -m torchreel`` is ``torchreel``."""

import sys

from torchreel.cli import main

if __name__ == "__main__":
    sys.exit(main())
