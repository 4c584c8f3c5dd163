"""Read what a finished run has left, here or in an archive; secrets known by now are masked on the way in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO, StringIO
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from runbook_lib.archive.places import Place
from runbook_lib.errors import CorruptEvidence, PlanError
from runbook_lib.evidence import DeployEvidence, Measurement, Role
from runbook_lib.evidence.logs import LogsEvidence
from runbook_lib.evidence.suites import SuitesEvidence
from runbook_lib.redact import redact_all, redact_json, secrets_of
from runbook_lib.verdict import CriterionResult, Verdict

R = TypeVar("R", bound=BaseModel)
PLAN, VERDICT = "plan.yaml", "verdict.json"
_STEPS = ("deploy", "logs", "suites", "probes", "metrics", "run_logs")


class _Measured(BaseModel):
    """The part of every step's evidence that is the same in all of them."""

    measurements: tuple[Measurement, ...] = ()


@dataclass(frozen=True, eq=False)
class PastRun:
    """One run folder, read piece by piece when it is asked for; what a step did not leave is None."""

    place: Place

    @property
    def run_id(self) -> str:
        """The folder's name."""
        return self.place.name

    @cached_property
    def plan(self) -> dict[str, Any]:
        """The plan as it was run, defaults included, as plain data.

        It is not read as a `Plan`: a run is compared as it was recorded, by whichever version.
        """
        try:
            data = YAML(typ="safe").load(StringIO(self.place.read(PLAN).decode()))
        except (YAMLError, UnicodeDecodeError) as error:
            raise CorruptEvidence(f"{self.place.address}/{PLAN} is no YAML: {error}") from None
        if not isinstance(data, dict):
            raise CorruptEvidence(f"{self.place.address}/{PLAN} is no plan: it must be a mapping")
        masked: dict[str, Any] = redact_all(data, secrets_of(os.environ))
        return masked

    @cached_property
    def verdict(self) -> Verdict | None:
        """What the judge said."""
        return self._record(VERDICT, Verdict)

    @cached_property
    def deploy(self) -> DeployEvidence | None:
        """Which revisions were compared."""
        return self._record("evidence/deploy.json", DeployEvidence)

    @cached_property
    def suites(self) -> SuitesEvidence | None:
        """Every suite and test."""
        return self._record("evidence/suites.json", SuitesEvidence)

    @cached_property
    def logs(self) -> LogsEvidence | None:
        """What the logs of the whole run said, or else those of the start-ups."""
        whole = self._record("evidence/run_logs.json", LogsEvidence)
        return whole or self._record("evidence/logs.json", LogsEvidence)

    @cached_property
    def measurements(self) -> dict[tuple[str, Role], Measurement]:
        """Every measurement of every step, by metric and role."""
        found = (self._record(f"evidence/{step}.json", _Measured) for step in _STEPS)
        return {(m.metric, m.role): m for step in found if step for m in step.measurements}

    @cached_property
    def criteria(self) -> dict[str, CriterionResult]:
        """The judge's word on each criterion, by its id."""
        return {result.id: result for result in self.verdict.criteria} if self.verdict else {}

    @cached_property
    def load(self) -> pd.DataFrame | None:
        """One row per session under load; columns `role`, `connect_s`, `answer_s` (NaN: it never came)."""
        name = "evidence/load_sessions.parquet"
        if not self.place.has(name):
            return None
        raw = BytesIO(self.place.read(name))
        try:
            return pd.read_parquet(raw, columns=["role", "connect_s", "answer_s"])
        except Exception as error:  # pyarrow raises several unrelated kinds
            raise CorruptEvidence(f"{self.place.address}/{name} is no Parquet file ({error})") from error

    def latencies(self, role: Role, column: str) -> NDArray[np.float64]:
        """Return how long one role's sessions took, in order; infinite where what was awaited never came."""
        if self.load is None:
            return np.empty(0)
        seen = self.load.loc[self.load["role"] == role, column].to_numpy(dtype=float)
        return np.sort(np.nan_to_num(seen, nan=np.inf))

    def _record(self, name: str, kind: type[R]) -> R | None:
        if not self.place.has(name):
            return None
        try:
            text = redact_json(self.place.read(name).decode(), secrets_of(os.environ))
            return kind.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(part) for part in first["loc"]) or "the file"
            raise CorruptEvidence(f"{self.place.address}/{name}: {at}: {first['msg']}") from None
        except ValueError as error:  # no UTF-8, no JSON
            raise CorruptEvidence(f"{self.place.address}/{name} is no JSON: {error}") from None


def past_run(place: Place) -> PastRun:
    """Return the run at a place.

    Raises:
        PlanError: If there is none.
    """
    if not place.has(PLAN):
        raise PlanError(f"{place.address} is no run folder: it has no {PLAN}", field="run")
    return PastRun(place)
