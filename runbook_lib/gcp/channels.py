"""Open channels to an emulator and turn the vendor's errors into ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import grpc
from google.api_core import exceptions as vendor
from google.auth.exceptions import GoogleAuthError

from runbook_lib.errors import (
    AlreadyExists,
    CloudError,
    CloudUnavailable,
    Conflict,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
)
from runbook_lib.gcp.repeating import repeat

T = TypeVar("T")

CALL_TIMEOUT_S = 30.0
_HINT_UNAVAILABLE = "check the network and the endpoint, then run the step again"
_KINDS: dict[str, tuple[type[CloudError], str]] = {
    "UNAVAILABLE": (CloudUnavailable, _HINT_UNAVAILABLE),
    "DEADLINE_EXCEEDED": (CloudUnavailable, _HINT_UNAVAILABLE),
    "CANCELLED": (CloudUnavailable, _HINT_UNAVAILABLE),  # what a server that shuts down says
    "NOT_FOUND": (NotFound, "check project, region and service in the plan"),
    "PERMISSION_DENIED": (PermissionDenied, "grant the roles that docs/google-cloud.md lists"),
    "UNAUTHENTICATED": (PermissionDenied, "run gcloud auth application-default login"),
    "ALREADY_EXISTS": (AlreadyExists, "give another name"),
    "ABORTED": (Conflict, "somebody changed it in between: look at it, then run the step again"),
    "RESOURCE_EXHAUSTED": (QuotaExceeded, "wait a minute, or raise the quota, then run the step again"),
}

# What an answer by HTTP means where it is not said in gRPC's words.
_STATUSES: dict[int | None, str] = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "UNAVAILABLE", 502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "UNAVAILABLE",
}  # fmt: skip


def channel_to(address: str) -> grpc.Channel:
    """Return a channel without TLS to `host:port`, for messages of any size."""
    return grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])


def ask(call: str, resource: str, question: Callable[[], T], quota: bool = True) -> T:
    """Return the answer to a call that changes nothing; it is repeated while the API is unavailable.

    Args:
        quota: Wait also while the API's quota is used up.

    Raises:
        CloudError: The kind that fits the API's answer.
    """
    kinds = (CloudUnavailable, QuotaExceeded) if quota else (CloudUnavailable,)
    return repeat(lambda: act(call, resource, question), kinds)


def act(call: str, resource: str, question: Callable[[], T]) -> T:
    """Make a call once, for it may change something.

    Raises:
        CloudError: The kind that fits the API's answer.
    """
    try:
        return question()
    except (vendor.RetryError, OSError) as error:  # what HTTP clients raise without an answer is an OSError
        raise CloudUnavailable(call, resource, "no answer in time", _HINT_UNAVAILABLE) from error
    except vendor.GoogleAPICallError as error:
        raise translated(call, resource, error) from error
    except GoogleAuthError as error:
        raise PermissionDenied(
            call, resource, "no credentials", "run gcloud auth application-default login"
        ) from error


def translated(call: str, resource: str, error: vendor.GoogleAPICallError) -> CloudError:
    """Return our error for the vendor's."""
    status = (
        error.grpc_status_code.name if error.grpc_status_code else _STATUSES.get(error.code, str(error.code))
    )
    kind, hint = _KINDS.get(status, (CloudError, "see the message"))
    return kind(call, resource, f"{status} ({error.message})", hint)
