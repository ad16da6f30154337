"""Run the program by ``python3 -m foreman_selinux_helpers``."""

import sys

from .cli import main

sys.exit(main())
