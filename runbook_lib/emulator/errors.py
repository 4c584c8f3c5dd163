"""The refusals of the emulated APIs, as canonical gRPC statuses with the field at fault."""

from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2


class ApiError(Exception):
    """A refusal that the caller sees as a gRPC status.

    Args:
        code: Canonical status.
        message: What was refused and why.
        field: Path of the request field at fault; sent as a `google.rpc.BadRequest` detail.
        details: Further detail messages, such as `google.rpc.ErrorInfo`.
    """

    def __init__(
        self, code: grpc.StatusCode, message: str, *, field: str | None = None, details: Sequence[Any] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.details = tuple(details)

    def status(self) -> status_pb2.Status:
        """Return the error as the message that operations and trailing metadata carry."""
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        details = list(self.details)
        if self.field is not None:
            violation = error_details_pb2.BadRequest.FieldViolation(
                field=self.field, description=self.message.removeprefix(f"{self.field}: ")
            )
            details.append(error_details_pb2.BadRequest(field_violations=[violation]))
        for detail in details:
            status.details.append(AnyMessage())
            status.details[-1].Pack(detail)
        return status


def invalid(field: str, problem: str) -> ApiError:
    """Build INVALID_ARGUMENT that names the field first."""
    return ApiError(grpc.StatusCode.INVALID_ARGUMENT, f"{field}: {problem}", field=field)


def not_found(resource: str) -> ApiError:
    """Build NOT_FOUND for a full resource name."""
    return ApiError(grpc.StatusCode.NOT_FOUND, f"Resource '{resource}' was not found.")


def already_exists(resource: str, problem: str = "already exists") -> ApiError:
    """Build ALREADY_EXISTS for a resource name."""
    return ApiError(grpc.StatusCode.ALREADY_EXISTS, f"Resource '{resource}' {problem}.")


def aborted(message: str) -> ApiError:
    """Build ABORTED: somebody else changed the resource in between."""
    return ApiError(grpc.StatusCode.ABORTED, message)


def permission_denied(permission: str) -> ApiError:
    """Build PERMISSION_DENIED: the caller lacks a permission."""
    return ApiError(
        grpc.StatusCode.PERMISSION_DENIED,
        f"Permission '{permission}' denied (or the resource may not exist).",
    )


def failed_precondition(message: str) -> ApiError:
    """Build FAILED_PRECONDITION: the resource is not in a state that allows the call."""
    return ApiError(grpc.StatusCode.FAILED_PRECONDITION, message)


def not_emulated(what: str) -> ApiError:
    """Build UNIMPLEMENTED for a real feature that this emulator leaves out."""
    return ApiError(grpc.StatusCode.UNIMPLEMENTED, f"{what} is not emulated.")
