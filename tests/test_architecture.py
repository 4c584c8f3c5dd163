"""Hold every import of the package to the floors of the house: parses the sources, imports none of them."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "runbook_lib"

# A new top-level module or folder is listed here, on the lowest floor from which its imports point down.
# fmt: off
FLOORS = {
    0: ("__init__", "catalogue", "clock", "dotted", "errors", "event_loop", "light_record", "process_tree",
        "redact", "signals", "watchdog"),
    1: ("arrivals", "disk", "evidence", "explained", "kept_output", "lease", "places", "plan", "ports",
        "redact_table", "rehearsal", "sessions", "verdict"),
    2: ("agent", "commands", "gcp", "github_issues", "judge", "kernels", "local_cloud", "run_folder",
        "session_file", "steps"),
    3: ("archive", "decisions", "earlier", "folder_lock", "journal", "leasing", "notebook_archive",
        "preflight", "recorded", "report", "scribe"),
    4: ("compare", "connection", "fleet", "gathering", "headless", "judging", "live", "promoting", "resuming",
        "run", "selftest"),
    5: ("cli", "fork_server", "lab", "notebook", "terminal", "worker"),
}
# fmt: on
# Importer and imported, on the same floor. Of a pair that stands here both ways only one may be in use.
SIDEWAYS = {
    ("arrivals", "plan"),
    ("cli", "lab"),
    ("cli", "terminal"),
    ("fleet", "judging"),
    ("fork_server", "cli"),
    ("fork_server", "notebook"),
    ("gathering", "judging"),
    ("headless", "judging"),
    ("headless", "resuming"),
    ("headless", "run"),
    ("lease", "evidence"),
    ("notebook_archive", "report"),
    ("ports", "arrivals"),
    ("ports", "evidence"),
    ("promoting", "judging"),
    ("rehearsal", "evidence"),
    ("rehearsal", "verdict"),
    ("resuming", "judging"),
    ("run", "connection"),
    ("run", "gathering"),
    ("run", "headless"),
    ("run", "judging"),
    ("run", "live"),
    ("run", "promoting"),
    ("run", "resuming"),
    ("run_folder", "session_file"),
    ("selftest", "run"),
    ("sessions", "evidence"),
    ("sessions", "ports"),
    ("verdict", "evidence"),
}
ALONE = "emulator"
NOT_OURS = (
    "emulator/sample_service/tests",
    "emulator/sample_service/scripts",
)  # the rehearsed team's own files
# The judge reads no file, clock, network or chance: nothing but its arguments.
# fmt: off
IMPURE = (
    "aiohttp", "asyncio", "concurrent", "glob", "google", "grpc", "http", "httpx", "io", "logging",
    "multiprocessing", "numpy.random", "os", "pandas.io", "pathlib", "pickle", "psutil", "random", "requests",
    "runbook_lib.clock", "secrets", "selectors", "shutil", "socket", "sqlite3", "ssl", "stamina",
    "subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid", "websockets",
)
# fmt: on
IMPORTING_CALLS = ("import_module", "__import__", "run_module", "find_spec")

FLOOR_OF = {entry: floor for floor, entries in FLOORS.items() for entry in entries}


@dataclass(frozen=True, kw_only=True)
class Import:
    """One import in a source file; `target` is its dotted name, None when the source computes it."""

    source: Path
    line: int
    target: str | None

    @property
    def importer(self) -> str:
        """The top-level entry of the package that the importing file belongs to."""
        return self.source.parts[0].removesuffix(".py")

    @property
    def imported(self) -> str | None:
        """The top-level entry of the package that is imported; None when it is somebody else's."""
        package, _, rest = (self.target or "").partition(".")
        if package != PACKAGE.name:
            return None
        entry = rest.partition(".")[0]
        return entry if entry and not entry.startswith("__") else "__init__"


def violations(package: Path) -> list[str]:
    """Return a sentence for every import in the tree that breaks a rule, and for every entry on no floor."""
    sources = [path.relative_to(package) for path in sorted(package.rglob("*.py"))]
    ours = [path for path in sources if not path.as_posix().startswith(NOT_OURS)]
    imports = [each for path in ours for each in _imports(path, (package / path).read_text("utf-8"))]
    complaints = [
        f"{each.source}:{each.line} {complaint}"
        for each in imports
        for complaint in (_outward(each), _inward(each))
        if complaint
    ]
    return sorted({*_strangers(ours), *_circles(imports), *complaints})


@cache
def _imports(source: Path, text: str) -> tuple[Import, ...]:
    """Return every import of a file, wherever in it: in functions, under TYPE_CHECKING, through importlib."""
    parent = ".".join([PACKAGE.name, *source.parent.parts])
    return tuple(
        Import(source=source, line=node.lineno, target=target)
        for node in ast.walk(ast.parse(text))
        for target in _targets(node, parent)
    )


def _targets(node: ast.AST, parent: str) -> list[str | None]:
    """Return the dotted names that one syntax node imports into a module of the package `parent`."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            base = resolve_name("." * level + (module or ""), parent) if level else module
            return [f"{base}.{alias.name}" for alias in names]
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[first, *_]):
            return [_spelled(first, parent)] if name in IMPORTING_CALLS else []
    return []


def _spelled(argument: ast.expr, parent: str) -> str | None:
    """Return the dotted name that an importing call is given, None when it is computed."""
    match argument:
        case ast.Constant(value=str(name)):
            return resolve_name(name, parent)
    return None


def _inward(found: Import) -> str | None:
    """Complain about an import from the package that its floor does not allow."""
    importer, imported = found.importer, found.imported
    if imported is None or imported == importer:
        return None
    if ALONE in (importer, imported):
        return f"imports {found.target}: {ALONE}/ stands alone, it is reached by endpoint only"
    if importer not in FLOOR_OF or imported not in FLOOR_OF:
        return None if imported in FLOOR_OF else f"imports {found.target}, which is on no floor"
    here, there = FLOOR_OF[importer], FLOOR_OF[imported]
    if there < here or (importer, imported) in SIDEWAYS:
        return None
    where = "beside it" if there == here else "above it"
    return f"imports {found.target}: {importer} is on floor {here}, {imported} {where} on floor {there}"


def _outward(found: Import) -> str | None:
    """Complain about a name that cannot be read, and about a judge that could look around."""
    if found.target is None:
        return "imports a computed name: spell it out, so that the floors can be checked"
    impure = any(f"{found.target}.".startswith(f"{module}.") for module in IMPURE)
    return f"imports {found.target}: the judge does no I/O" if found.importer == "judge" and impure else None


def _strangers(sources: list[Path]) -> Iterator[str]:
    """Complain about files whose top-level entry is on no floor."""
    for entry in sorted({path.parts[0].removesuffix(".py") for path in sources} - {*FLOOR_OF, ALONE}):
        yield f"{PACKAGE.name}/{entry} is on no floor: list it in FLOORS of tests/{Path(__file__).name}"


def _circles(imports: list[Import]) -> Iterator[str]:
    """Complain about two entries of the package that import each other."""
    pairs = {(each.importer, each.imported) for each in imports if each.imported}
    for one, other in sorted(pairs & SIDEWAYS):
        if other is not None and one < other and (other, one) in pairs:
            yield f"{one} and {other} import each other: only one of them may"


STANDS_ALONE = "emulator/ stands alone, it is reached by endpoint only"
PLANTED = {
    "upwards": (
        "errors.py",
        "from runbook_lib.plan import Plan",
        "imports runbook_lib.plan.Plan: errors is on floor 0, plan above it on floor 1",
    ),
    "far upwards": (
        "plan.py",
        "import runbook_lib.cli.app",
        "imports runbook_lib.cli.app: plan is on floor 1, cli above it on floor 5",
    ),
    "upwards inside a function": (
        "clock.py",
        "def late():\n    from runbook_lib import run",
        "imports runbook_lib.run: clock is on floor 0, run above it on floor 4",
    ),
    "upwards for types only": (
        "steps/planted.py",
        "if TYPE_CHECKING:\n    from ..report import html",
        "imports runbook_lib.report.html: steps is on floor 2, report above it on floor 3",
    ),
    "beside on floor 1": (
        "plan.py",
        "from runbook_lib.evidence import Window",
        "imports runbook_lib.evidence.Window: plan is on floor 1, evidence beside it on floor 1",
    ),
    "beside on floor 2": (
        "steps/planted.py",
        "from runbook_lib.gcp import cloud_run",
        "imports runbook_lib.gcp.cloud_run: steps is on floor 2, gcp beside it on floor 2",
    ),
    "beside, by dots": (
        "steps/deep/planted.py",
        "from ...judge import bounds",
        "imports runbook_lib.judge.bounds: steps is on floor 2, judge beside it on floor 2",
    ),
    "beside, by importlib": (
        "agent/planted.py",
        "importlib.import_module('runbook_lib.run_folder')",
        "imports runbook_lib.run_folder: agent is on floor 2, run_folder beside it on floor 2",
    ),
    "beside, by importlib and dots": (
        "agent/planted.py",
        "import_module('..steps', __package__)",
        "imports runbook_lib.steps: agent is on floor 2, steps beside it on floor 2",
    ),
    "a computed name": (
        "gcp/planted.py",
        "__import__(f'runbook_lib.{name}')",
        "imports a computed name: spell it out, so that the floors can be checked",
    ),
    "from the notebooks' helpers to the command line": (
        "notebook.py",
        "from runbook_lib.cli.app import main",
        "imports runbook_lib.cli.app.main: notebook is on floor 5, cli beside it on floor 5",
    ),
    "from the command line to the notebooks' helpers": (
        "cli.py",
        "from runbook_lib.notebook import show",
        "imports runbook_lib.notebook.show: cli is on floor 5, notebook beside it on floor 5",
    ),
    "out of the emulator": (
        "emulator/planted.py",
        "from runbook_lib.errors import RunbookError",
        f"imports runbook_lib.errors.RunbookError: {STANDS_ALONE}",
    ),
    "out of the sample service, by dots": (
        "emulator/sample_service/planted.py",
        "from ...redact import redact",
        f"imports runbook_lib.redact.redact: {STANDS_ALONE}",
    ),
    "into the emulator": (
        "cli.py",
        "def up():\n    from runbook_lib.emulator import wire",
        f"imports runbook_lib.emulator.wire: {STANDS_ALONE}",
    ),
    "into the emulator, by runpy": (
        "run.py",
        "runpy.run_module('runbook_lib.emulator')",
        f"imports runbook_lib.emulator: {STANDS_ALONE}",
    ),
    "a module on no floor": (
        "planted.py",
        "",
        "is on no floor: list it in FLOORS of tests/test_architecture.py",
    ),
    "an import of a module on no floor": (
        "cli.py",
        "import runbook_lib.nowhere",
        "imports runbook_lib.nowhere, which is on no floor",
    ),
}


def plant(package: Path, file: str, source: str) -> set[str]:
    """Append the source to a file of a copy of the package; return the complaints that it adds."""
    before = set(violations(package))
    path = package / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(f"\n{source}\n")
    return {complaint.partition(" ")[2] for complaint in set(violations(package)) - before}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package's sources that a test may spoil."""
    copied = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, copied, ignore=lambda _, names: [n for n in names if n == "__pycache__"])
    return copied


def test_every_import_of_the_package_points_down() -> None:
    assert violations(PACKAGE) == []


@pytest.mark.parametrize(("file", "source", "complaint"), PLANTED.values(), ids=PLANTED)
def test_a_planted_import_is_found(copy: Path, file: str, source: str, complaint: str) -> None:
    assert plant(copy, file, source) == {complaint}


def test_a_judge_that_looks_around_is_found(copy: Path) -> None:
    found = plant(copy, "judge/planted.py", "\n".join(f"import {module}" for module in ("os.path", *IMPURE)))
    assert found == {f"imports {module}: the judge does no I/O" for module in ("os.path", *IMPURE)}


def test_run_and_headless_may_not_import_each_other(copy: Path) -> None:
    plant(copy, "run.py", "from runbook_lib import headless")
    plant(copy, "headless.py", "from runbook_lib import run")
    assert "headless and run import each other: only one of them may" in violations(copy)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("plan/planted.py", "from . import section\nfrom .file import load_plan"),
        ("judge/planted.py", "import math\nimport pandas as pd\nfrom runbook_lib.verdict import Outcome"),
        ("emulator/planted.py", "from . import wire\nfrom .names import revision_name"),
        ("run.py", "ARGUMENTS = ('-m', 'runbook_lib.emulator')"),
        ("notebook.py", "from runbook_lib import __version__, judge"),
        ("emulator/sample_service/scripts/planted.py", "from runbook_lib.errors import RunbookError"),
    ],
)
def test_an_allowed_import_is_not_found(copy: Path, file: str, source: str) -> None:
    assert plant(copy, file, source) == set()
