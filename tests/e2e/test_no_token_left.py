"""A token planted in twelve places is found nowhere in what a run leaves, nor in any process's arguments."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import nbformat
import pandas as pd
import pytest
from ruamel.yaml import YAML
from whole_run import QUICK, ROOT, Ended, Shell

pytestmark = pytest.mark.e2e

JWT = "eyJhbGciOiJIUzI1NiJ9.{}.dBjftJeZ4CVPmB92K27uhbUJU1p1r"
PLANTS = {
    "environment": "correct-horse-battery-staple",
    "parameter": "ghp_paramparamparam0123456789",
    "log line": "ghp_loglinelogline0123456789abc",
    "agent reply": JWT.format("eyJzdWIiOiJyZXBseSJ9"),
    "test output": "AIzaTestOutputTestOutputTestOutput01234",
    "exception": "ya29.exceptionexception0123456789",
    "URL query": "opaque-in-a-query-77aa",
    "header": "opaqueInAHeader88bb",
    "plan file": "AKIAPLANFILE01234567",
    "metadata": "glpat-metadatametadata012345",
    "process list": "a-pass-phrase-for-the-suite",
}
"""Place and token; the twelfth, the key of each kernel's connection, is made by Jupyter in the run."""
SUITE = f"""
import os, urllib.request as u
print('token', os.environ[os.environ['WHICH']], '{PLANTS["test output"]}')
print(u.urlopen(os.environ['URL'] + '/health').status)
"""
_PACKED = re.compile(rb"[A-Za-z0-9+/]{120,}={0,2}")


@dataclass
class Watched:
    """What was seen while the run went on: every process's arguments, and the kernels' keys."""

    connections: Path
    arguments: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look twenty times a second."""
        while not self.over.wait(0.05):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.arguments.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue  # it has ended
            for path in self.connections.glob("*.json"):
                try:
                    self.keys.add(json.loads(path.read_text())["key"])
                except (OSError, ValueError, KeyError):
                    continue  # it is being written, or gone, or none


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout's notebooks, with a token in their metadata; plans without and with one."""
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "notebooks", project / "notebooks")
    for file in (project / "notebooks").glob("0*.ipynb"):
        notebook = nbformat.read(file, as_version=4)
        notebook.metadata["deploy"] = {"note": PLANTS["metadata"]}
        notebook.cells[0].metadata["note"] = PLANTS["metadata"]
        nbformat.write(notebook, file)
    plan = YAML(typ="safe").load(QUICK.read_text())
    plan["candidate"]["image"] = plan["target"]["baseline_image"] = "leaky"
    plan["suites"]["reached"] = {
        "command": ["python", str(project / "suite.py")], "token_env": "SUITE_PHRASE",
        "env": {"URL": "{candidate_url}", "WHICH": "{token_env}"},
    }  # fmt: skip
    YAML().dump(plan, project / "plan.yaml")
    YAML().dump(plan | {"issue": {"title": f"by {PLANTS['plan file']}"}}, project / "spelled.yaml")
    (project / "connections").mkdir()
    (project / "suite.py").write_text(SUITE)
    (project / "plants.json").write_text(json.dumps(PLANTS))
    server = str(Path(__file__).with_name("leaky_service.py"))
    images = {"images": {"leaky": {"command": [sys.executable, server, str(project / "plants.json")]}}}
    YAML().dump(images, project / "catalogue.yaml")
    return project


@pytest.fixture(scope="module")
def shell(project: Path, environment: dict[str, str]) -> Iterator[Shell]:
    """The command line in that project, with an emulator that knows the leaky service."""
    given = {
        **environment, "RUNBOOK_EMULATOR_DIR": str(project / "emulator"),
        "TMPDIR": str(project / "connections"),
        "DEPLOY_TOKEN": PLANTS["environment"], "SUITE_PHRASE": PLANTS["process list"],
    }  # fmt: skip
    emulator = (sys.executable, "-m", "runbook_lib.emulator")
    up = [*emulator, "up", "--sample-period", "0.25", "--catalogue", str(project / "catalogue.yaml")]
    subprocess.run(up, env=given, check=True, timeout=60, stdout=subprocess.DEVNULL)
    yield Shell(given, project)
    subprocess.run([*emulator, "down"], env=given, check=True, timeout=60)


def test_a_token_planted_in_twelve_places_is_found_nowhere(project: Path, shell: Shell) -> None:
    watched = Watched(connections=project / "connections")
    looking = threading.Thread(target=watched.watch)
    looking.start()
    ended = shell("run", "plan.yaml")
    watched.over.set()
    looking.join()
    refused = [
        shell("run", "plan.yaml", "-p", f"issue.title={PLANTS['parameter']}"),
        shell("run", "spelled.yaml"),
    ]

    assert "report.html" in ended.out, ended.out + ended.err
    (run,) = (project / "outputs").iterdir()
    _went_through(run, project, refused)
    assert watched.keys
    tokens = {spelling: place for place, token in _tokens(watched.keys) for spelling in _spelled(token)}
    kept = {
        str(file.relative_to(run)): b"\n".join(_readings(file)) for file in run.rglob("*") if file.is_file()
    }
    kept["what it printed"] = (ended.out + ended.err).encode()
    kept["what was refused"] = "".join(each.out + each.err for each in refused).encode()
    kept["process list"] = "\n".join(watched.arguments).encode()
    found = [(place, name) for token, place in tokens.items() for name, raw in kept.items() if token in raw]
    assert found == []


def _went_through(run: Path, project: Path, refused: list[Ended]) -> None:
    """Check that the plants were where they should be: masked, or else refused; or nothing is proved."""
    table = pd.read_parquet(run / "evidence" / "run_logs.parquet")
    lines = "\n".join((*table["message"], *table["stack"]))
    leaks = ("connecting with", "token=", "cannot refresh", "Authorization: Bearer ")
    for leak in leaks:
        assert re.search(rf"{leak} ?\[redacted\]", lines), lines
    suites = json.loads((run / "evidence" / "suites.json").read_text())
    assert "token [redacted] [redacted]" in suites["suites"][0]["output"]
    assert (project / "answered").exists()
    notebook = nbformat.read(run / "notebooks" / "02_logs.ipynb", as_version=4)
    assert notebook.metadata["deploy"] == {"note": "[redacted]"}
    assert [each.code for each in refused] == [2, 2]
    assert all("holds a secret" in each.err for each in refused)


def _tokens(keys: set[str]) -> Iterator[tuple[str, str]]:
    yield from PLANTS.items()
    yield from (("kernel connection", key) for key in keys)


def _spelled(token: str) -> set[bytes]:
    raw = token.encode()
    coded = (base64.b64encode(raw), base64.urlsafe_b64encode(raw))
    return {raw, quote(token, safe="").encode(), raw[::-1], *(each.rstrip(b"=") for each in coded)}


def _readings(file: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, the cells of a table, and what is packed in a page."""
    raw = file.read_bytes()
    yield raw
    if file.suffix == ".parquet":
        yield (
            pd.read_parquet(file)
            .to_json(orient="records", date_format="iso", default_handler=str)
            .replace("\\/", "/")
            .encode()
        )
    if file.suffix in (".html", ".ipynb"):
        for packed in _PACKED.findall(raw):
            plain = base64.b64decode(packed + b"=" * (-len(packed) % 4))
            yield gzip.decompress(plain) if plain.startswith(b"\x1f\x8b") else plain
