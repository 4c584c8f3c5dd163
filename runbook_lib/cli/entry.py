"""Begin: answer a plain `--help` in a blink, and leave everything else to the command line proper.

What reads commands imports for longer than Python takes to start; the overview needs none of it. Its text is
written by `python -m runbook_lib.cli.help_text`.
"""

from __future__ import annotations

import os
import sys

OVERVIEW = os.path.join(os.path.dirname(__file__), "help.txt")  # noqa: PTH118, PTH120 - pathlib takes as long as Python
_USAGE_ERROR = 2
_RARELY = 50_000
"""New objects after which Python looks for rubbish: at every 700 it takes a fifth of the imports' time."""


def main() -> None:
    """Show the overview, or run the command."""
    asked = sys.argv[1:]
    if asked not in ([], ["--help"]):
        import gc

        gc.set_threshold(_RARELY)
        from runbook_lib.cli.app import main as run_command

        run_command()
    with open(OVERVIEW, encoding="utf-8") as file:  # noqa: PTH123
        sys.stdout.write(file.read())
    sys.exit(0 if asked else _USAGE_ERROR)


if __name__ == "__main__":
    main()
