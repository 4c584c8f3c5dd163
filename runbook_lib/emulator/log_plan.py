"""Turns a filter into a search of a segment's index: which entries may match, and which must.

An index answers some conditions exactly; for others it only knows that an entry may match. Carrying both
sets through AND, OR and NOT keeps every answer right, and only the doubtful entries are looked at one by one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .log_columns import SEPARATOR, column_of
from .log_fields import Kind, find_field
from .log_filter import condition, time_ns
from .log_functions import log_suffix, search_terms
from .log_segment import Segment
from .query import And, Anywhere, Call, Comparison, Literal, Node, Not, Or, parse

_EARLIEST_NS, _LATEST_NS = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Matches:
    """Sets of a segment's entries: `must` are known to match; outside `may` none does."""

    may: int
    must: int


Plan = Callable[[Segment, int], Matches]
"""Searches a segment within a set of its entries."""


@lru_cache(maxsize=256)
def plan_search(text: str) -> Plan:
    """Return the plan of a filter.

    Raises:
        ApiError: INVALID_ARGUMENT that says where the filter is wrong.
    """
    return _plan(parse(text))


def _plan(node: Node) -> Plan:
    match node:
        case And(operands=operands):
            # Looking through texts costs the most: the others narrow it first.
            return _all([_plan(each) for each in sorted(operands, key=_searches_text)])
        case Or(operands=operands):
            return _any([_plan(each) for each in operands])
        case Not(operand=operand):
            return _none(_plan(operand))
        case Anywhere(value=value) if SEPARATOR not in value.text:
            return _text(value.text.casefold())
        case Call():
            return _call(node)
        case Comparison():
            return _comparison(node)
    return _unknown


def _searches_text(node: Node) -> bool:
    return not isinstance(node, Comparison)


def _all(plans: list[Plan]) -> Plan:
    def search(segment: Segment, within: int) -> Matches:
        may = must = within
        for plan in plans:
            if may:
                found = plan(segment, may)
                may, must = found.may, must & found.must
        return Matches(may=may, must=must & may)

    return search


def _any(plans: list[Plan]) -> Plan:
    def search(segment: Segment, within: int) -> Matches:
        may = must = 0
        for plan in plans:
            found = plan(segment, within & ~must)
            may, must = may | found.may, must | found.must
        return Matches(may=may, must=must)

    return search


def _none(plan: Plan) -> Plan:
    def search(segment: Segment, within: int) -> Matches:
        found = plan(segment, within)
        return Matches(may=within & ~found.must, must=within & ~found.may)

    return search


def _exactly(find: Callable[[Segment, int], int]) -> Plan:
    def search(segment: Segment, within: int) -> Matches:
        found = find(segment, within) & within
        return Matches(may=found, must=found)

    return search


def _unknown(_: Segment, within: int) -> Matches:
    return Matches(may=within, must=0)


def _possibly(plan: Plan) -> Plan:
    return lambda segment, within: Matches(may=plan(segment, within).may, must=0)


def _text(wanted: str) -> Plan:
    return _exactly(lambda segment, within: segment.containing(wanted, within))


def _call(call: Call) -> Plan:
    match call.name.lower():
        case "log_id":
            suffix = log_suffix(call)
            return _exactly(
                lambda segment, _: segment.where(("log_name",), lambda name: name.endswith(suffix))
            )
        case "search" if SEPARATOR not in (query := call.arguments[-1]).text:
            # A word of an entry is a part of its text, but not the other way round.
            return _possibly(_all([_text(term) for term in search_terms(query.text)]))
    return _unknown


def _comparison(node: Comparison) -> Plan:
    if node.path == ("timestamp",) and isinstance(node.value, Literal) and node.value.text != "*":
        return _time(node.operator, time_ns(node.value))
    column = column_of(node.path)
    if column is None:
        return _possibly(_text(wanted)) if (wanted := _contained_text(node)) is not None else _unknown
    # The same few values stand in every segment.
    test: Callable[[Any], bool] = lru_cache(maxsize=4096)(condition(node).test)
    return _exactly(lambda segment, _: segment.where(column, test))


def _contained_text(node: Comparison) -> str | None:
    """Return what the text of every entry contains that meets a comparison; None when that is not sure."""
    kind = find_field(node.path, node.column).kind
    if node.operator not in ("=", ":") or not isinstance(node.value, Literal) or node.value.text == "*":
        return None
    wanted = node.value.text.casefold()
    if kind not in (Kind.TEXT, Kind.JSON) or SEPARATOR in wanted:
        return None
    # In a payload it may mean a number, a boolean or null, none of which stands in the text.
    return None if kind is Kind.JSON and _is_no_text(wanted) else wanted


def _is_no_text(wanted: str) -> bool:
    try:
        float(wanted)
    except ValueError:
        return wanted in "true" or wanted in "false" or wanted == "null_value"
    return True


def _time(operator: str, wanted_ns: int) -> Plan:
    same = (wanted_ns, wanted_ns)
    low, high = {
        "<": (_EARLIEST_NS, wanted_ns - 1),
        "<=": (_EARLIEST_NS, wanted_ns),
        ">": (wanted_ns + 1, _LATEST_NS),
        ">=": (wanted_ns, _LATEST_NS),
    }.get(operator, same)
    within_range = _exactly(lambda segment, _: segment.between(low, high))
    return _none(within_range) if operator == "!=" else within_range
