"""Read a plan from YAML, with `extends` and parameters, and say of each mistake in which line it stands."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from runbook_lib.errors import PlanError
from runbook_lib.plan import Plan
from runbook_lib.plan.secrets import ADVICE, secrets_in

SHORTHANDS = {"candidate": "candidate.image", "baseline": "target.baseline_image"}
"""Parameters with a name shorter than the field that they set."""

_PROBLEMS = {
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "string_type": "must be text (a number or a date needs quotes)",
}
"""What the models' types are called in YAML."""

Keys = tuple[str | int, ...]
"""The way to a value in the plan: keys of mappings, indices of lists."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a value stands. `line` is 1-based; both are None for a value given as a parameter."""

    file: Path | None
    line: int | None


@dataclass(frozen=True, kw_only=True)
class _Document:
    """Plain data, with the place of every key and item in it."""

    data: dict[str, Any]
    places: dict[Keys, Place]


def load_plan(file: Path, parameters: Mapping[str, str] | None = None) -> Plan:
    """Return the plan of `file`, with what it extends, and with `parameters` (dotted name to text) set in it.

    Raises:
        PlanError: If a file cannot be read, or anything in it is not as the models say.
    """
    document = _load(file)
    for name, text in (parameters or {}).items():
        _set(document, name, text)
    for _, section in _runners(document.data):
        _anchor(section, file, unless="cwd" in section)
    for keys in secrets_in(document.data):
        raise _reference_error(keys, ADVICE, (), document, file)
    try:
        plan = Plan.model_validate(document.data)
    except ValidationError as error:
        raise _plan_error(_clearest(error.errors()), document, file) from None
    _check_references(plan, document, file)
    return plan


def dump_plan(plan: Plan, folder: Path) -> str:
    """Return the whole plan, defaults included, as YAML that `load_plan` reads back to an equal plan.

    Args:
        plan: The plan.
        folder: Where the file will stand; working folders are written relative to it.
    """
    data = plan.model_dump(mode="json")
    for section in (data["candidate"], *data["suites"].values()):
        section["cwd"] = os.path.relpath(section["cwd"], folder.resolve())
    stream = StringIO()
    yaml: Any = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.allow_unicode = "\x85" not in plan.model_dump_json()  # the emitter writes that one wrongly
    yaml.dump(data, stream)
    return stream.getvalue()


def _load(file: Path) -> _Document:
    try:
        return _read(file, seen=())
    except RecursionError as error:
        raise PlanError("is nested too deeply, or an alias in it holds itself", file=file) from error


def _read(file: Path, seen: tuple[Path, ...]) -> _Document:
    raw = _parse(file)
    document = _Document(data={}, places={})
    base = raw.get("extends")
    if base is not None:
        if not isinstance(base, str):
            raise PlanError("must be a path", file=file, line=_line(raw, "extends"), field="extends")
        document = _read_base(file, raw, base, seen)
    own = CommentedMap((key, value) for key, value in raw.items() if key != "extends")
    own.lc.data = raw.lc.data
    _merge(document.data, own, document.places, (), file)
    _anchor_paths(document.data, own, file)
    return document


def _read_base(file: Path, raw: CommentedMap, base: str, seen: tuple[Path, ...]) -> _Document:
    parent, files = file.parent / base, (*seen, file.resolve())
    if not _is_file(parent):
        problem = f"no such plan: {parent}"
    elif parent.resolve() in files:
        problem = "extends itself"
    else:
        return _read(parent, files)
    raise PlanError(problem, file=file, line=_line(raw, "extends"), field="extends")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long
        return False


def _parse(file: Path) -> CommentedMap:
    try:
        raw = YAML(typ="rt").load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(f"cannot be read: {error.strerror}", file=file) from error
    except UnicodeDecodeError as error:
        raise PlanError("is not UTF-8 text", file=file) from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise PlanError(f"is not YAML: {error.problem}", file=file, line=line) from error
    except RecursionError:
        raise
    except Exception as error:  # the parser raises many kinds: month 13, a list as a key, a control character
        raise PlanError(f"is not YAML: {str(error).partition(chr(10))[0]}", file=file) from error
    if not isinstance(raw, CommentedMap):
        raise PlanError("must be a mapping of sections", file=file, allowed=tuple(Plan.model_fields))
    return raw


def _line(node: CommentedMap | CommentedSeq, key: str | int) -> int | None:
    position = (node.lc.data or {}).get(key)
    return position[0] + 1 if position else None


def _merge(into: dict[str, Any], node: CommentedMap, places: dict[Keys, Place], at: Keys, file: Path) -> None:
    """Lay `node` over `into`: mappings merge, lists with ids merge by id, everything else is replaced."""
    for key, value in node.items():
        here = (*at, str(key))
        places[here] = Place(file=file, line=_line(node, key))
        old = into.get(str(key))
        if isinstance(value, CommentedMap) and isinstance(old, dict):
            _merge(old, value, places, here, file)
        elif isinstance(old, list) and _have_ids(old) and _have_ids(value):
            _merge_by_id(old, value, places, here, file)
        else:
            _forget_below(here, places)
            into[str(key)] = _plain(value, places, here, file)


def _have_ids(items: Any) -> bool:
    """Say whether this is a list whose items can be told apart by their ids."""
    if not isinstance(items, list):
        return False
    ids = [item["id"] for item in items if isinstance(item, dict) and "id" in item]
    return 0 < len(ids) == len(items) and all(ids.count(each) == 1 for each in ids)


def _forget_below(at: Keys, places: dict[Keys, Place]) -> None:
    for keys in [keys for keys in places if len(keys) > len(at) and keys[: len(at)] == at]:
        del places[keys]


def _merge_by_id(old: list[Any], node: CommentedSeq, places: dict[Keys, Place], at: Keys, file: Path) -> None:
    ids = [item["id"] for item in old]
    for item in node:
        index = ids.index(item["id"]) if item["id"] in ids else len(old)
        here = (*at, index)
        places[here] = Place(file=file, line=item.lc.line + 1)
        if index == len(old):
            ids.append(item["id"])
            old.append(_plain(item, places, here, file))
        else:
            _merge(old[index], item, places, here, file)


def _plain(value: Any, places: dict[Keys, Place], at: Keys, file: Path) -> Any:
    if isinstance(value, CommentedMap):
        result: dict[str, Any] = {}
        _merge(result, value, places, at, file)
        return result
    if isinstance(value, CommentedSeq):
        for index in range(len(value)):
            places[(*at, index)] = Place(file=file, line=_line(value, index))
        return [_plain(item, places, (*at, index), file) for index, item in enumerate(value)]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    """Return a scalar without what the parser keeps of how it was written."""
    kinds: tuple[tuple[Any, type], ...] = (
        ((bool, ScalarBoolean), bool), (int, int), (float, float), (str, str)
    )  # fmt: skip
    return next((plain(value) for kind, plain in kinds if isinstance(value, kind)), value)


def _runners(data: Mapping[str, Any]) -> Iterator[tuple[Keys, dict[str, Any]]]:
    """Find the sections that run commands in a folder, each with the keys that lead to it."""
    suites = data.get("suites")
    found: dict[Keys, Any] = {("candidate",): data.get("candidate")}
    found |= {("suites", name): suites[name] for name in suites} if isinstance(suites, dict) else {}
    return ((keys, section) for keys, section in found.items() if isinstance(section, dict))


def _anchor_paths(data: dict[str, Any], own: CommentedMap, file: Path) -> None:
    """Make each `cwd` that this file sets absolute, for it is relative to this very file."""
    ours = dict(_runners(own))
    for keys, section in _runners(data):
        _anchor(section, file, unless=ours.get(keys, {}).keys().isdisjoint({"cwd", "command", "pytest"}))


def _anchor(section: dict[str, Any], file: Path, *, unless: bool) -> None:
    cwd = section.get("cwd", ".")
    if isinstance(cwd, str) and not unless:
        with suppress(OSError, ValueError, RuntimeError):  # no folder's name: said when it is used
            section["cwd"] = str((file.parent / cwd).resolve())


def _set(document: _Document, name: str, text: str) -> None:
    """Set one field by its dotted name; the text stays text, and the models convert it.

    A `cwd` is relative to where the command was started, as for every other command.
    """
    path = SHORTHANDS.get(name, name).split(".")
    if name == "candidate" and isinstance(document.data.get("candidate"), dict):
        document.data["candidate"].pop("command", None)
    node: Any = document.data
    for part in path[:-1]:
        node = node.setdefault(part, {}) if isinstance(node, dict) else node
    if not isinstance(node, dict):
        raise PlanError("only fields of mappings can be set by a parameter", field=name)
    node[path[-1]] = str(Path(text).resolve()) if path[-1] == "cwd" else text
    parameter = Place(file=None, line=None)
    for length in range(1, len(path)):
        document.places.setdefault(tuple(path[:length]), parameter)
    document.places[tuple(path)] = parameter


def _clearest(details: list[ErrorDetails]) -> ErrorDetails:
    """Return the first error, or a sister that says more: the allowed values, or a misspelt field's name."""
    sisters = [detail for detail in details if detail["loc"][:-1] == details[0]["loc"][:-1]]
    telling = ("literal_error", "extra_forbidden")
    return next((each for kind in telling for each in sisters if each["type"] == kind), details[0])


def _plan_error(detail: ErrorDetails, document: _Document, file: Path) -> PlanError:
    keys = _keys_of(detail["loc"], document.data)
    place = _place(keys, document, file)
    field = ".".join(str(key) for key in keys)
    problem, allowed = _problem(detail, keys)
    if place.file is None:
        problem = f"parameter: {problem}"
    return PlanError(problem, file=place.file, line=place.line, field=field, allowed=allowed)


def _keys_of(loc: tuple[int | str, ...], data: Any) -> Keys:
    """Drop from a pydantic location what names no key of the data, such as the branch of a union."""
    keys: list[str | int] = []
    for index, part in enumerate(loc):
        listed = isinstance(data, list) and isinstance(part, int)
        inside = listed or (isinstance(data, dict) and part in data)
        if inside:
            data = data[part]
            keys.append(part)
        elif index == len(loc) - 1 and isinstance(data, dict):
            keys.append(part)
    return tuple(keys)


def _place(keys: Keys, document: _Document, file: Path) -> Place:
    for length in range(len(keys), 0, -1):
        place = document.places.get(keys[:length])
        if place and (place.line or place.file is None):  # a key that came by `<<` has no line of its own
            return place
    return Place(file=file, line=None)


def _problem(detail: ErrorDetails, keys: Keys) -> tuple[str, tuple[str, ...]]:
    if detail["type"] == "extra_forbidden":
        allowed = _fields_at(keys[:-1])
        close = difflib.get_close_matches(str(keys[-1]), allowed, n=1)
        return ("unknown field" + (f", did you mean {close[0]}?" if close else "")), allowed
    if detail["type"] == "literal_error":
        return f"{detail['input']!r} is not one of them", _literals(str(detail.get("ctx", {})["expected"]))
    if detail["type"] == "missing":
        return "is missing", ()
    if detail["type"] in _PROBLEMS:
        return _PROBLEMS[detail["type"]], ()
    return detail["msg"].removeprefix("Value error, "), ()


def _literals(expected: str) -> tuple[str, ...]:
    return tuple(re.findall(r"'([^']*)'", expected))


def _fields_at(keys: Keys) -> tuple[str, ...]:
    kind: Any = Plan
    for key in keys:
        kind = _step_into(kind, key)
    model = _model_in(kind)
    return tuple(model.model_fields) if model else ()


def _step_into(kind: Any, key: str | int) -> Any:
    model = _model_in(kind)
    if model and isinstance(key, str) and key in model.model_fields:
        return model.model_fields[key].annotation
    arguments = [argument for argument in get_args(kind) if argument is not Ellipsis]
    return arguments[-1] if arguments else None


def _model_in(kind: Any) -> type[BaseModel] | None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    if get_origin(kind) in (Union, UnionType):
        return next((model for part in get_args(kind) if (model := _model_in(part))), None)
    return None


def _check_references(plan: Plan, document: _Document, file: Path) -> None:
    """Check what one field says of another, which no single model can see."""
    _check_criteria(plan, document, file)
    ids = [criterion.id for criterion in plan.criteria]
    _check_unique("regressions", [regression.id for regression in plan.regressions], document, file)
    for keys, criterion in _named_criteria(plan):
        if criterion not in ids:
            raise _reference_error(keys, f"no criterion {criterion!r}", tuple(ids), document, file)


def _named_criteria(plan: Plan) -> Iterator[tuple[Keys, str]]:
    """Yield each place outside of the criteria that names one, with the name."""
    for index, regression in enumerate(plan.regressions):
        yield ("regressions", index, "criterion"), regression.criterion
    for image, criterion in plan.selftest.defects.items():
        yield ("selftest", "defects", image), criterion


def _check_criteria(plan: Plan, document: _Document, file: Path) -> None:
    _check_unique("criteria", [criterion.id for criterion in plan.criteria], document, file)
    for index, criterion in enumerate(plan.criteria):
        if criterion.metric not in plan.metric_names():
            keys: Keys = ("criteria", index, "metric")
            problem = f"no metric {criterion.metric!r}"
            raise _reference_error(keys, problem, plan.metric_names(), document, file)


def _check_unique(section: str, ids: list[str], document: _Document, file: Path) -> None:
    for index, each in enumerate(ids):
        if each in ids[:index]:
            keys: Keys = (section, index, "id")
            raise _reference_error(keys, f"a second {each!r}", (), document, file)


def _reference_error(
    keys: Keys, problem: str, allowed: tuple[str, ...], document: _Document, file: Path
) -> PlanError:
    place = _place(keys, document, file)
    field = ".".join(str(key) for key in keys)
    return PlanError(problem, file=place.file, line=place.line, field=field, allowed=allowed)
