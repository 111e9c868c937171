"""`python -m mamba_portrait`: the command line."""

import sys

from .cli import main

sys.exit(main())
