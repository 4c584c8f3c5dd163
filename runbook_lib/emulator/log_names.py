"""Reads the resource names that the calls of the Logging API take."""

import re
from collections.abc import Sequence

from .errors import invalid

MAX_RESOURCE_NAMES = 100
_PROJECT = re.compile(r"projects/(?P<project>[^/]+)")


def prefixes_of(resource_names: Sequence[str]) -> tuple[str, ...]:
    """Return how the log names of these projects begin.

    Raises:
        ApiError: INVALID_ARGUMENT when there is none, are too many, or is one of something else.
    """
    if not 0 < len(resource_names) <= MAX_RESOURCE_NAMES:
        raise invalid("resource_names", f"needs 1 to {MAX_RESOURCE_NAMES} names such as projects/PROJECT")
    for name in resource_names:
        if not _PROJECT.match(name):
            raise invalid("resource_names", f"'{name}' does not begin with projects/PROJECT")
    return tuple(f"projects/{project_of(name)}/logs/" for name in resource_names)


def project_of(resource_name: str) -> str:
    """Return the project in a resource name, or "" when it names none."""
    found = _PROJECT.match(resource_name)
    return found["project"] if found else ""
