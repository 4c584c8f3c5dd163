"""The system annotations of Cloud Run's v1 API and the v2 fields that replaced them; translates both ways.

Source: https://cloud.google.com/run/docs/reference/rest/v1/namespaces.services#resource:-service
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from google.api.launch_stage_pb2 import LaunchStage
from google.cloud import run_v2

from .errors import invalid, not_emulated
from .wire import Message

_Ingress = run_v2.IngressTraffic
_Environment = run_v2.ExecutionEnvironment
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """One annotation and the v2 field that holds its value.

    Attributes:
        path: Dotted field path in the v2 message.
        values: What each text stands for; empty for text and whole numbers, which stand for themselves.
        first_container: The field is one of the template's first container.
    """

    key: str
    path: str
    values: Mapping[str, object] = field(default_factory=dict)
    first_container: bool = False


SERVICE = (
    Mapped(key="run.googleapis.com/description", path="description"),
    Mapped(key="run.googleapis.com/client-name", path="client"),
    Mapped(key="run.googleapis.com/client-version", path="client_version"),
    Mapped(key="run.googleapis.com/launch-stage", path="launch_stage", values=dict(LaunchStage.items())),
    Mapped(
        key="run.googleapis.com/ingress",
        path="ingress",
        values={
            "all": int(_Ingress.INGRESS_TRAFFIC_ALL),
            "internal": int(_Ingress.INGRESS_TRAFFIC_INTERNAL_ONLY),
            "internal-and-cloud-load-balancing": int(_Ingress.INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER),
        },
    ),
    Mapped(key="run.googleapis.com/minScale", path="scaling.min_instance_count"),
    Mapped(key="run.googleapis.com/maxScale", path="scaling.max_instance_count"),
    Mapped(key="run.googleapis.com/invoker-iam-disabled", path="invoker_iam_disabled", values=_BOOLEANS),
    Mapped(key="run.googleapis.com/default-url-disabled", path="default_uri_disabled", values=_BOOLEANS),
)
TEMPLATE = (
    Mapped(key="autoscaling.knative.dev/minScale", path="scaling.min_instance_count"),
    Mapped(key="autoscaling.knative.dev/maxScale", path="scaling.max_instance_count"),
    Mapped(key="run.googleapis.com/sessionAffinity", path="session_affinity", values=_BOOLEANS),
    Mapped(
        key="run.googleapis.com/execution-environment",
        path="execution_environment",
        values={
            "gen1": int(_Environment.EXECUTION_ENVIRONMENT_GEN1),
            "gen2": int(_Environment.EXECUTION_ENVIRONMENT_GEN2),
        },
    ),
    Mapped(
        key="run.googleapis.com/startup-cpu-boost",
        path="resources.startup_cpu_boost",
        values=_BOOLEANS,
        first_container=True,
    ),
    Mapped(
        key="run.googleapis.com/cpu-throttling",
        path="resources.cpu_idle",
        values=_BOOLEANS,
        first_container=True,
    ),
)
# Written by the platform, or notes of a client about itself; sent back with every change and then ignored.
_IGNORED = {
    "run.googleapis.com/client-name",
    "run.googleapis.com/client-version",
    "run.googleapis.com/ingress-status",
    "run.googleapis.com/operation-id",
    "run.googleapis.com/urls",
    "serving.knative.dev/creator",
    "serving.knative.dev/lastModifier",
}
_SYSTEM = ("run.googleapis.com/", "serving.knative.dev/", "autoscaling.knative.dev/", "cloud.googleapis.com/")


def is_system(key: str) -> bool:
    """Say whether a label or annotation is the platform's, so that v2 does not show it."""
    return key.startswith(_SYSTEM)


def read_annotations(message: Message, table: tuple[Mapped, ...]) -> dict[str, str]:
    """Return the annotations that stand for a v2 message's fields; a field at its default gives none."""
    found = ((each, _parent(message, each)) for each in table)
    values = [(each, getattr(parent, _last(each))) for each, parent in found if parent is not None]
    return {each.key: _text(each, value) for each, value in values if value}


def write_annotations(annotations: Mapping[str, str], message: Message, table: tuple[Mapped, ...]) -> None:
    """Put annotations into the v2 fields that stand for them, and the caller's own ones beside.

    Raises:
        ApiError: UNIMPLEMENTED for a system annotation not emulated, INVALID_ARGUMENT for a bad value.
    """
    mapped = {each.key: each for each in table}
    for key, text in annotations.items():
        if key in mapped:
            _write(message, mapped[key], text)
        elif not is_system(key):
            message.annotations[key] = text
        elif key not in _IGNORED:
            raise not_emulated(f"The annotation {key}")


def _write(message: Message, mapped: Mapped, text: str) -> None:
    parent = _parent(message, mapped)
    if parent is None:
        raise invalid("spec.template.spec.containers", "needs a container")
    number = isinstance(getattr(parent, _last(mapped)), int)
    try:
        value = mapped.values[text.lower() if mapped.values is _BOOLEANS else text] if mapped.values else text
        setattr(parent, _last(mapped), int(str(value)) if number and not mapped.values else value)
    except (KeyError, ValueError) as error:
        allowed = f": allowed are {', '.join(mapped.values)}" if mapped.values else " is no whole number"
        raise invalid(f"metadata.annotations[{mapped.key}]", f"'{text}'{allowed}") from error


def _parent(message: Message, mapped: Mapped) -> Message | None:
    if mapped.first_container:
        if not message.containers:
            return None
        message = message.containers[0]
    for name in mapped.path.split(".")[:-1]:
        message = getattr(message, name)
    return message


def _last(mapped: Mapped) -> str:
    return mapped.path.rsplit(".", 1)[-1]


def _text(mapped: Mapped, value: object) -> str:
    return next((text for text, each in mapped.values.items() if each == value), str(value))
