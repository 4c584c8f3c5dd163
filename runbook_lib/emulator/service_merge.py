"""Merges an update request into a service: all changeable fields, or those that the mask names."""

from collections.abc import Sequence

from google.protobuf.field_mask_pb2 import FieldMask

from .errors import invalid
from .wire import Message

# An update without a mask replaces these; the rest of a service is Cloud Run's to write.
CHANGEABLE = [
    "description",
    "labels",
    "annotations",
    "client",
    "client_version",
    "ingress",
    "launch_stage",
    "binary_authorization",
    "template",
    "traffic",
    "scaling",
    "invoker_iam_disabled",
    "default_uri_disabled",
    "iap_enabled",
    "custom_audiences",
]


def merge_update(target: Message, source: Message, mask: Sequence[str]) -> None:
    """Write the changed fields of `source` into `target`; a field left empty in `source` becomes empty.

    Raises:
        ApiError: INVALID_ARGUMENT when the mask names a field that services do not have.
    """
    paths = CHANGEABLE if not mask or list(mask) == ["*"] else list(mask)
    for path in paths:
        _check_path(target, path)
        _replace(target, source, path.split("."))


def _check_path(target: Message, path: str) -> None:
    if not FieldMask(paths=[path]).IsValidForDescriptor(target.DESCRIPTOR):
        raise invalid("update_mask", f"services have no field '{path}'")


def _replace(target: Message, source: Message, segments: Sequence[str]) -> None:
    name, rest = segments[0], segments[1:]
    if name not in CHANGEABLE and target.DESCRIPTOR.name == "Service":
        # Masks that gcloud and others send may name output-only fields, which the API ignores.
        return
    if rest:
        _replace(getattr(target, name), getattr(source, name), rest)
        return
    target.ClearField(name)
    partial = type(source)()
    partial.CopyFrom(source)
    for field, _ in source.ListFields():
        if field.name != name:
            partial.ClearField(field.name)
    target.MergeFrom(partial)
