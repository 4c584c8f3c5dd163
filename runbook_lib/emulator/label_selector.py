"""Kubernetes label selectors of the equality and set kinds, as v1 list calls take them."""

import re
from collections.abc import Mapping

from .errors import invalid

_KEY, _VALUE = r"[\w./-]+", r"[\w.-]*"
_EQUAL = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_AMONG = re.compile(rf"({_KEY})\s+(in|notin)\s+\(([^)]*)\)")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")


def selects(selector: str, labels: Mapping[str, str]) -> bool:
    """Say whether labels satisfy a selector such as `a = b, c in (d, e), !f`; an empty one selects all.

    Raises:
        ApiError: INVALID_ARGUMENT when it is no selector.
    """
    # A comma inside parentheses separates values, any other one separates requirements.
    parts = re.split(r",(?![^(]*\))", selector) if selector.strip() else []
    return all(_holds(part.strip(), labels) for part in parts)


def _holds(part: str, labels: Mapping[str, str]) -> bool:
    if found := _EQUAL.fullmatch(part):
        key, operator, value = found.groups()
        return (labels.get(key) == value) is (operator != "!=")
    if found := _AMONG.fullmatch(part):
        key, operator, values = found.groups()
        among = labels.get(key) in [value.strip() for value in values.split(",")]
        return among is (operator == "in")
    if found := _EXISTS.fullmatch(part):
        return (found[2] in labels) is (found[1] == "")
    raise invalid("labelSelector", f"'{part}' is neither key = value nor key in (values)")
