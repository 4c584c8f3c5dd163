"""Rows of the conformance suite: a call by a real client, the page it follows, and the answer to expect."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from emulator_cloud import Cloud, named_field
from google.api_core import exceptions
from google.cloud import run_v2

Call = Callable[..., Any]
"""Makes one call on a cloud; those that `creating` returns can be told to validate only."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A call that is refused.

    Attributes:
        error: Exception that the client raises for the status.
        field: Request field that the details name; empty where the API names none.
        core: Part of the message.
    """

    call: Call
    error: type[exceptions.GoogleAPICallError]
    field: str
    core: str

    def check(self, cloud: Cloud) -> None:
        """Make the call: it is refused as told, and nothing has changed by it."""
        before = everything(cloud)
        with pytest.raises(self.error) as refused:
            self.call(cloud)
        assert type(refused.value) is self.error
        assert self.core in refused.value.message
        assert (named_field(refused.value) if refused.value.details else "") == self.field
        assert everything(cloud) == before


def refusals(*rows: tuple[Any, ...], under: str = "") -> list[Any]:
    """Make a table of refusals into pytest's parameters.

    Args:
        rows: Title, page, call, field, core of the message and, unless it is InvalidArgument, the exception.
        under: What every row's field begins with.
    """
    return [_refusal(under, *row) for row in rows]


def _refusal(
    under: str, title: str, page: str, call: Call, field: str, core: str,
    error: type[exceptions.GoogleAPICallError] = exceptions.InvalidArgument,
) -> Any:  # fmt: skip
    refusal = Refusal(call=call, error=error, field=under + field, core=core)
    return pytest.param(refusal, id=title, marks=[pytest.mark.conformance(page), pytest.mark.refusal])


def acceptances(*rows: tuple[str, str, Call]) -> list[Any]:
    """Make a table of title, page and accepted call into pytest's parameters."""
    return [pytest.param(call, id=title, marks=pytest.mark.conformance(page)) for title, page, call in rows]


def everything(cloud: Cloud) -> list[Iterable[Any]]:
    """Return all that a refused call could have changed in the project: services, revisions, its own log."""
    return [
        list(cloud.services.list_services(parent=cloud.parent)),
        list(cloud.revisions.list_revisions(parent=f"{cloud.parent}/services/-")),
        cloud.entries('log_id("conformance") OR log_id("cloudaudit.googleapis.com/activity")'),
    ]


def a_service(
    container: dict[str, Any] | None = None, template: dict[str, Any] | None = None, **fields: Any
) -> run_v2.Service:
    """Return the smallest good service with these fields of service, template and container."""
    containers = [{"image": "echo", **(container or {})}]
    return run_v2.Service(template={"containers": containers, **(template or {})}, **fields)


def creating(service_id: str = "refused", parent: str = "", **fields: Any) -> Call:
    """Return a call that creates the smallest good service with these fields."""

    def create(cloud: Cloud, validate_only: bool = False) -> Any:
        request = {
            "parent": parent or cloud.parent,
            "service_id": service_id,
            "service": a_service(**fields),
            "validate_only": validate_only,
        }
        return cloud.services.create_service(request=request, retry=None)

    return create
