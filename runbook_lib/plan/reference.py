"""Write the plan's reference, `docs/plan.md`, from the models themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runbook_lib.catalogue import METRICS, SUITE
from runbook_lib.plan import Plan

_HEAD = """# The plan

One YAML file is one validation. Unknown fields are refused; `runbook lint PLAN` names file, line and field of
a mistake. `extends: OTHER.yaml` takes another plan and changes it: mappings merge, lists of things with an
`id` merge by it, everything else is replaced. A field can be set for one run: `-p probes.load.sessions=20`;
`-p candidate=IMAGE` is short for `-p candidate.image=IMAGE`.

This page is made from the models by `python -m runbook_lib.plan.reference docs/plan.md`.
"""


def render() -> str:
    """Return the page."""
    sections = "\n".join(_section(name, model) for name, model in _models(Plan))
    return f"{_HEAD}\n{sections}\n{_metrics()}"


def _models(model: type[BaseModel], name: str = "") -> list[tuple[str, type[BaseModel]]]:
    """Return every model below `model` with its dotted place, in the order of the fields."""
    found = [(name, model)] if name else [("the whole plan", model)]
    for field, info in model.model_fields.items():
        inner = _inner(info.annotation)
        if inner:
            found += _models(inner, _place(name, field, info))
    return found


def _place(name: str, field: str, info: FieldInfo) -> str:
    kind = get_origin(info.annotation)
    suffix = ".NAME" if kind is dict else "[]" if kind is tuple else ""
    return f"{name}.{field}{suffix}" if name else f"{field}{suffix}"


def _inner(kind: Any) -> type[BaseModel] | None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next((model for part in get_args(kind) if (model := _inner(part))), None)


def _section(name: str, model: type[BaseModel]) -> str:
    rows = "\n".join(_row(field, info) for field, info in model.model_fields.items())
    about = (model.__doc__ or "").strip()
    return f"## {name}\n\n{about}\n\n| field | type | default | meaning |\n|---|---|---|---|\n{rows}\n"


def _row(field: str, info: FieldInfo) -> str:
    meaning = " ".join((info.description or "").split())
    return f"| `{field}` | {_type(info.annotation)} | {_default(info)} | {_cell(meaning)} |"


def _type(kind: Any) -> str:
    origin, parts = get_origin(kind), [part for part in get_args(kind) if part is not Ellipsis]
    if origin is Annotated:
        return _type(parts[0])
    if origin is Literal:
        return _cell(" \\| ".join(f"`{part}`" for part in parts))
    if origin is tuple:
        return f"list of {_type(parts[0])}"
    if origin is dict:
        return f"mapping to {_type(parts[1])}"
    if parts:
        return " or ".join("null" if part is NoneType else _type(part) for part in parts)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.__name__
    return {str: "text", float: "number", int: "whole number", bool: "true or false"}.get(kind, "anything")


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.default
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, tuple):
        return _cell(", ".join(f"`{part}`" for part in value)) or "none"
    return "none" if value in (None, "", {}) else _cell(f"`{value}`")


def _metrics() -> str:
    known = {**METRICS, "suite.NAME.failures": SUITE}
    rows = "\n".join(
        f"| `{name}` | {metric.unit} | {metric.step} | {_cell(metric.meaning)} |"
        for name, metric in known.items()
    )
    return (
        "## Metrics\n\nWhat a criterion's `metric` may name. All are measured on the candidate and, but for "
        "those of the deployment and of the suites, on the baseline too.\n\n"
        f"| metric | unit | step | meaning |\n|---|---|---|---|\n{rows}\n"
    )


def _cell(text: str) -> str:
    return text.replace("\n", "<br>")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(), encoding="utf-8")
