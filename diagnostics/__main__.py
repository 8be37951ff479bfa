"""`python -m diagnostics`: the command `diagnose`."""

import sys

from diagnostics.cli import main

sys.exit(main())
