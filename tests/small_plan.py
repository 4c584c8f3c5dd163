"""The smallest plan, a writer's type, and what a wrong plan is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from runbook_lib.errors import PlanError
from runbook_lib.plan.file import load_plan

WritePlan = Callable[..., Path]

# Its criteria stand last, so that text put behind it adds a criterion or a section.
PLAN = """\
issue: {title: A plan}
target: {project: staging, region: here, service: chat}
candidate: {image: "chat:2"}
criteria:
  - id: ready
    title: The revision is ready
    metric: deploy.ready
    at_least: 1
"""


def complaint(file: Path, parameters: Mapping[str, str] | None = None) -> str:
    """Return the text of the error that `file` gives, with its folder taken off."""
    with pytest.raises(PlanError) as caught:
        load_plan(file, parameters)
    return str(caught.value).replace(f"{file.parent}/", "")
