"""Page tokens that say which call they belong to and where to go on."""

import base64
import hashlib
import json
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable
from typing import Any

from .errors import invalid


def make_token(query: object, position: Any) -> str:
    """Return an opaque token for a position (JSON) in the answer to a query."""
    document = json.dumps([_fingerprint(query), position])
    return base64.urlsafe_b64encode(document.encode()).decode()


def read_token(token: str, query: object) -> Any:
    """Return the position in a token, or None for an empty one.

    Raises:
        ApiError: INVALID_ARGUMENT when the token is garbled or was made for another query.
    """
    if not token:
        return None
    try:
        fingerprint, position = json.loads(base64.urlsafe_b64decode(token))
    except (Base64Error, ValueError, TypeError) as error:
        raise invalid("page_token", "is not a token that this API gave out") from error
    if fingerprint != _fingerprint(query):
        raise invalid("page_token", "belongs to a call with other parameters")
    return position


def page_of(
    items: Iterable[Any], key: Callable[[Any], Any], request: Any, default_size: int
) -> tuple[list[Any], str]:
    """Return one page of items in the order of their (JSON) keys, and the next token ("" at the end).

    The token holds the last key, so items that come or go in between neither repeat nor hide others.
    """
    if request.page_size < 0:
        raise invalid("page_size", f"{request.page_size} is negative")
    query = getattr(request, "parent", "") or getattr(request, "name", "")
    after = read_token(request.page_token, query)
    rest = [item for item in sorted(items, key=key) if after is None or key(item) > after]
    size = min(request.page_size or default_size, default_size)
    page = rest[:size]
    return page, make_token(query, key(page[-1])) if len(rest) > size else ""


def _fingerprint(query: object) -> str:
    return hashlib.sha256(repr(query).encode()).hexdigest()[:16]
