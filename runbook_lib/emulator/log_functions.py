"""The functions of the Logging query language that are emulated: log_id(), ip_in_net() and SEARCH().

Source: https://cloud.google.com/logging/docs/view/logging-query-language#functions
"""

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import quote

from .errors import ApiError, invalid
from .log_fields import find_field, json_texts, texts
from .query import Call, Literal, field_path
from .wire import Message

Test = Callable[[Message], bool]

EMULATED = "log_id(), ip_in_net() and SEARCH()"
# Source: https://cloud.google.com/bigquery/docs/text-analysis-search (LOG_ANALYZER, which SEARCH uses)
_DELIMITERS = r"""[\[\]<>(){}|!;,'"*&?+/:=@.\-$%\\_\s]"""
_TERM = re.compile(r"`([^`]*)`|([^`]+)")


def function(call: Call) -> Test:
    """Return the predicate of a function that stands on its own.

    Raises:
        ApiError: INVALID_ARGUMENT when it is not emulated or its arguments are wrong.
    """
    builders = {"log_id": _log_id, "ip_in_net": _ip_in_net, "search": _search}
    if call.name.lower() not in builders:
        raise not_emulated(call)
    return builders[call.name.lower()](call)


def not_emulated(call: Call) -> ApiError:
    """Build the refusal of a function that the real language has or has not."""
    text = f"at column {call.column}: the function {call.name}() is not emulated: {EMULATED} are"
    return invalid("filter", text)


def log_suffix(call: Call) -> str:
    """Return how the names of the logs that `log_id("…")` means end."""
    (log_id,) = _arguments(call, 'one argument, such as log_id("run.googleapis.com/stdout")', {1})
    return "/logs/" + quote(log_id.text, safe="")


def search_terms(query: str) -> list[str]:
    """Return what SEARCH looks for: words, and in backticks whole phrases; all casefolded."""
    terms: list[str] = []
    for phrase, words in _TERM.findall(query.casefold()):
        terms += [phrase] if phrase else filter(None, re.split(_DELIMITERS, words))
    return terms


def _log_id(call: Call) -> Test:
    suffix = log_suffix(call)
    return lambda entry: entry.log_name.endswith(suffix)


def _ip_in_net(call: Call) -> Test:
    path, subnet = _arguments(
        call, 'two arguments, such as ip_in_net(httpRequest.remoteIp, "10.1.0.0/16")', {2}
    )
    field = find_field(field_path(path.text), path.column)
    try:
        network = ip_network(subnet.text, strict=False)
    except ValueError as error:
        raise invalid("filter", f"at column {subnet.column}: {error}") from error
    return lambda entry: any(_within(network, value) for value in field.values(entry))


def _within(network: IPv4Network | IPv6Network, value: Any) -> bool:
    try:
        return isinstance(value, str) and ip_address(value) in network
    except ValueError:
        return False


def _search(call: Call) -> Test:
    """Every term must occur, in any order and field, as a word of its own."""
    *fields, query = _arguments(
        call, 'a query, or a field and a query, such as SEARCH(textPayload, "lost")', {1, 2}
    )
    patterns = [_as_word(term) for term in search_terms(query.text)]
    if not patterns:
        raise invalid("filter", f"at column {query.column}: SEARCH needs a word to look for")
    strings = _strings_of(fields[0]) if fields else texts

    def matches(entry: Message) -> bool:
        found = [string.casefold() for string in strings(entry)]
        return all(any(pattern.search(string) for string in found) for pattern in patterns)

    return matches


def _as_word(term: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|(?<={_DELIMITERS})){re.escape(term)}(?=$|{_DELIMITERS})")


def _strings_of(path: Literal) -> Callable[[Message], Iterable[str]]:
    field = find_field(field_path(path.text), path.column)

    def strings(entry: Message) -> Iterable[str]:
        return (string for value in field.values(entry) for string in _strings_in(value))

    return strings


def _strings_in(value: Any) -> Iterable[str]:
    if hasattr(value, "DESCRIPTOR"):
        is_json = value.DESCRIPTOR.full_name.startswith("google.protobuf.")
        return json_texts(value) if is_json else texts(value)
    return value.values() if hasattr(value, "values") and not isinstance(value, dict) else json_texts(value)


def _arguments(call: Call, wanted: str, counts: set[int]) -> tuple[Literal, ...]:
    if len(call.arguments) not in counts:
        raise invalid("filter", f"at column {call.column}: {call.name}() takes {wanted}")
    return call.arguments
