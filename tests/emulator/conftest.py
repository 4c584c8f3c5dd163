"""One emulator for the whole folder, reached by the real Google clients over its wire."""

import json
from collections.abc import Iterator

import pytest
from emulator_cloud import Cloud, connect, run_command, write_catalogue


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An emulator started by its own command; ended, with all its processes, afterwards."""
    folder = tmp_path_factory.mktemp("emulator")
    options = ["--state-dir", str(folder / "state")]
    started = run_command(
        "up",
        *options,
        "--json",
        "--seed",
        "7",
        "--sample-period",
        "0.2",
        "--log-delay",
        "0",
        "--log-read-quota",
        "0",
        "--catalogue",
        str(write_catalogue(folder)),
    )
    assert started.returncode == 0, started.stderr
    yield connect(json.loads(started.stdout))
    assert run_command("down", *options).returncode == 0
