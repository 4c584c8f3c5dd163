"""Entry point of `python -m runbook_lib.emulator`."""

from .cli import app

app(prog_name="runbook-emulator")
