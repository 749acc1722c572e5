"""`python -m automate`: the command line."""

import sys

from automate.cli import main

sys.exit(main())
