"""Turn a suite of the plan into a command line and its environment, for one of the two revisions."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runbook_lib.evidence import DeployEvidence, Role
from runbook_lib.plan.suite import Suite, as_argv
from runbook_lib.sessions import OUR_AGENT

_PLAIN = {"NO_COLOR": "1", "PY_COLORS": "0", "FORCE_COLOR": "", "CLICOLOR_FORCE": "0"}
"""A kernel's environment asks for colours, which nobody wants in evidence."""
PLUGIN = Path(__file__).parent / "plugin"


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One run of a suite. Its reports are written into `folder`, which is gone afterwards."""

    argv: tuple[str, ...]
    env: dict[str, str]
    folder: Path

    @property
    def junit(self) -> Path:
        """Where a runner is asked to write JUnit XML."""
        return self.folder / "junit.xml"

    @property
    def pytest_log(self) -> Path:
        """Where our plugin writes."""
        return self.folder / "pytest.jsonl"


def agent_of(name: str, suite: Suite, run_id: str) -> str:
    """Return what the suite's requests carry in their User-Agent; empty where that is not asked."""
    return suite.user_agent.format_map({"run_id": run_id, "suite": name})


def invocation(
    name: str,
    suite: Suite,
    deployed: DeployEvidence,
    role: Role,
    *,
    run_id: str,
    folder: Path,
    environment: Mapping[str, str],
) -> Invocation:
    """Return how a suite is run against one revision: on the baseline, {candidate_url} is the baseline's.

    Args:
        environment: What the command gets beside its own.
    """
    url = deployed.candidate_url if role == "candidate" else deployed.baseline_url
    empty = Invocation(argv=(), env={}, folder=folder)
    filled = {
        "run_id": run_id, "suite": name, "candidate_url": url, "candidate_ws_url": re.sub("^http", "ws", url),
        "baseline_url": deployed.baseline_url, "token_env": suite.token_env or "", "junit": str(empty.junit),
    }  # fmt: skip
    env = {key: text.format_map(filled) for key, text in suite.env.items()}
    return replace(
        empty,
        argv=tuple(part.format_map(filled) for part in as_argv(suite)),
        env={
            **_PLAIN,
            "RUNBOOK_RUN_ID": run_id,
            "RUNBOOK_USER_AGENT": agent_of(name, suite, run_id) or f"{OUR_AGENT}{run_id}",
            **env,
            **_for_pytest(empty, {**environment, **env}),
        },
    )


def chosen(whole: Invocation, names: Sequence[str], read_as: str) -> Invocation:
    """Return the invocation for some of the suite's tests, where its runner can choose; else the whole."""
    if read_as == "pytest" and all("::" in name for name in names):
        file = whole.folder / "only.json"
        file.write_text(json.dumps(list(names)), encoding="utf-8")
        return replace(whole, env={**whole.env, "RUNBOOK_PYTEST_ONLY": str(file)})
    if read_as == "go test" and whole.argv[:2] == ("go", "test"):
        tests = sorted({name.rpartition(" ")[2].partition("/")[0] for name in names})
        only = f"^({'|'.join(re.escape(test) for test in tests)})$"
        return replace(whole, argv=("go", "test", "-run", only, *whole.argv[2:]))
    return whole


def _for_pytest(run: Invocation, env: Mapping[str, str]) -> dict[str, str]:
    """Return what makes any pytest below the command, however deep, report to us."""
    options = f"-p runbook_pytest --junit-xml={shlex.quote(str(run.junit))}"
    return {
        "PYTEST_ADDOPTS": f"{env.get('PYTEST_ADDOPTS', '')} {options}".strip(),
        "PYTHONPATH": os.pathsep.join(part for part in (str(PLUGIN), env.get("PYTHONPATH", "")) if part),
        "RUNBOOK_PYTEST_LOG": str(run.pytest_log),
    }
