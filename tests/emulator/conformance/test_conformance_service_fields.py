"""Which services can be created: each field at its bound is accepted, and beyond it refused by name.

Refused rows end before anything is made, and accepted ones only validate: nothing is deployed here.
"""

from typing import Any

import api_pages as pages
import pytest
from emulator_cloud import LATEST, PINNED, POLLING, Cloud, named_field
from google.api_core import exceptions
from google.api_core.exceptions import AlreadyExists
from rows import Call, Refusal, acceptances, creating, everything, refusals


def containing(**container: Any) -> Call:
    """Create a service whose container has these fields."""
    return creating(container=container)


def limits(template: dict[str, Any] | None = None, **quantities: str) -> Call:
    """Create a service whose container has these limits."""
    return creating(container={"resources": {"limits": quantities}}, template=template)


def templating(**template: Any) -> Call:
    """Create a service whose template has these fields."""
    return creating(template=template)


def variable(name: str, value: str = "x", times: int = 1) -> Call:
    """Create a service with one environment variable, given so many times."""
    return containing(env=[{"name": name, "value": value}] * times)


def probing(**probe: Any) -> Call:
    """Create a service with a TCP start-up probe of these fields."""
    return containing(startup_probe={"tcp_socket": {}, **probe})


def serving(concurrency: int, **quantities: str) -> Call:
    """Create a service whose instances take so many requests at a time."""
    return limits({"max_instance_request_concurrency": concurrency}, **quantities)


def listening(port: int, name: str = "") -> Call:
    """Create a service whose container listens on a port."""
    return containing(ports=[{"container_port": port, "name": name}])


def latest(percent: int, tag: str = "", revision: str = "") -> dict[str, Any]:
    """Return a target of the latest ready revision."""
    return {"type_": LATEST, "percent": percent, "tag": tag, "revision": revision}


def pinned(revision: str, percent: int) -> dict[str, Any]:
    """Return a target of one revision."""
    return {"type_": PINNED, "percent": percent, "revision": revision}


def routing(*targets: dict[str, Any]) -> Call:
    """Create a service with these targets."""
    return creating(traffic=list(targets))


CONCURRENCY = "max_instance_request_concurrency"
EVERYWHERE = "projects/conformance/locations/-"
LONG = "refused-" + "a" * 55
NAMESPACES = ("run.googleapis.com", "cloud.googleapis.com", "serving.knative.dev", "autoscaling.knative.dev")
SYSTEM = [{f"{namespace}/key": "value"} for namespace in NAMESPACES]

SERVICE = refusals(
    ("a name with a capital", pages.CREATE, creating("Upper"), "service_id", "lowercase letters"),
    ("a name that begins with a digit", pages.CREATE, creating("1st"), "service_id", "begin with"),
    ("a name that ends with a hyphen", pages.CREATE, creating("ends-"), "service_id", "not end with"),
    ("a name of 50 characters", pages.CREATE, creating("a" * 50), "service_id", "fewer than 50"),
    ("no name", pages.CREATE, creating(""), "service_id", "must begin with"),
    ("a parent without a region", pages.CREATE, creating(parent="projects/p"), "parent", "is not projects/"),
    ("a parent of all regions", pages.CREATE, creating(parent=EVERYWHERE), "parent", "is not projects/"),
    ("a name that is taken", pages.CREATE, creating("standing"), "", "already exists", AlreadyExists),
    ("a long description", pages.SERVICE, creating(description="d" * 513), "service.description", "512"),
    ("no launch stage", pages.SERVICE, creating(launch_stage=5), "service.launch_stage", "ALPHA, BETA, GA"),
    ("a label of run", pages.SERVICE, creating(labels=SYSTEM[0]), "service.labels", "keeps for itself"),
    ("a label of cloud", pages.SERVICE, creating(labels=SYSTEM[1]), "service.labels", "keeps for itself"),
    ("a label of serving", pages.SERVICE, creating(labels=SYSTEM[2]), "service.labels", "keeps for itself"),
    ("a label of autoscaling", pages.SERVICE, creating(labels=SYSTEM[3]), "service.labels", "for itself"),
    ("a system annotation", pages.SERVICE, creating(annotations=SYSTEM[3]), "service.annotations", "itself"),
)  # fmt: skip
TEMPLATE = refusals(
    ("its system label", pages.TEMPLATE, templating(labels=SYSTEM[0]), "labels", "for itself"),
    ("its annotation", pages.TEMPLATE, templating(annotations=SYSTEM[3]), "annotations", "for itself"),
    ("a strange revision", pages.TEMPLATE, templating(revision="other-1"), "revision", "refused-…"),
    ("a revision with a capital", pages.TEMPLATE, templating(revision="refused-A"), "revision", "lowercase"),
    ("a revision of 64 letters", pages.TEMPLATE, templating(revision=LONG + "a"), "revision", "at most 63"),
    ("more than an hour", pages.TIMEOUT, templating(timeout={"seconds": 3601}), "timeout", "3600 s"),
    ("a timeout of zero", pages.TIMEOUT, templating(timeout={}), "timeout", "must be above 0 s"),
    ("less than zero", pages.TIMEOUT, templating(timeout={"seconds": -1}), "timeout", "must be above 0 s"),
    ("concurrency above 1000", pages.CONCURRENCY, serving(1001), CONCURRENCY, "1 to 1000"),
    ("concurrency below zero", pages.CONCURRENCY, serving(-1), CONCURRENCY, "1 to 1000"),
    ("many requests on half a vCPU", pages.CPU, serving(2, cpu="500m"), CONCURRENCY, "less than 1 vCPU"),
    ("no container", pages.TEMPLATE, templating(containers=[]), "containers", "needs a container"),
    under="service.template.",
)  # fmt: skip
CONTAINER = refusals(
    ("no image", pages.CONTAINER, containing(image=""), "image", "is required"),
    ("two ports", pages.CONTAINER, containing(ports=[{}, {}]), "ports", "at most one port"),
    ("port 0", pages.PORT, listening(0), "ports[0].container_port", "0 is not between 1 and 65535"),
    ("port 65536", pages.PORT, listening(65_536), "ports[0].container_port", "65536 is not between"),
    ("an unknown protocol", pages.PORT, listening(1, "grpc"), "ports[0].name", "neither http1 nor h2c"),
    ("PORT as a variable", pages.CONTRACT, variable("PORT"), "env", "'PORT' is set by Cloud Run"),
    ("K_SERVICE", pages.CONTRACT, variable("K_SERVICE"), "env", "'K_SERVICE' is set by Cloud Run"),
    ("K_REVISION", pages.CONTRACT, variable("K_REVISION"), "env", "'K_REVISION' is set by Cloud Run"),
    ("K_CONFIGURATION", pages.CONTRACT, variable("K_CONFIGURATION"), "env", "is set by"),
    ("X_GOOGLE_ as a prefix", pages.ENV_LIMITS, variable("X_GOOGLE_A"), "env", "is set by"),
    ("a variable without a name", pages.ENV_LIMITS, variable(""), "env", "is empty or contains '='"),
    ("a variable with an equals sign", pages.ENV_LIMITS, variable("A=B"), "env", "contains '='"),
    ("a variable given twice", pages.ENV, variable("A", times=2), "env", "'A' is given twice"),
    ("1001 variables", pages.ENV_LIMITS, variable("A", times=1001), "env", "1001 variables are more"),
    ("a value of 32770 bytes", pages.ENV, variable("A", "é" * 16_385), "env", "longer than 32768"),
    ("a name of 32769 characters", pages.ENV, variable("A" * 32_769), "env", "longer than 32768"),
    under="service.template.containers[0].",
)  # fmt: skip
LIMITS = refusals(
    ("memory that is no quantity", pages.MEMORY, limits(memory="lots"), ".memory", "is not a quantity"),
    ("less memory than 128Mi", pages.MEMORY, limits(memory="127Mi"), ".memory", "are 0.125 to 4 GiB"),
    ("too much for 1 vCPU", pages.CPU, limits(memory="5Gi"), ".memory", "go with 1 vCPU"),
    ("more memory than there is", pages.MEMORY, limits(memory="33Gi", cpu="8"), ".memory", "are 4 to 32 GiB"),
    ("too little for 4 vCPUs", pages.RESOURCES, limits(memory="1Gi", cpu="4"), ".memory", "are 2 to 16 GiB"),
    ("too much for half a vCPU", pages.CPU, limits(memory="2Gi", cpu="0.5"), ".memory", "0.125 to 1 GiB"),
    ("three vCPUs", pages.CPU, limits(cpu="3"), ".cpu", "'3' is neither 1, 2, 4, 6 or 8 vCPUs"),
    ("CPU that is no quantity", pages.CPU, limits(cpu="many"), ".cpu", "'many' is not a quantity"),
    ("less than 0.08 vCPU", pages.CPU, limits(cpu="79m"), ".cpu", "nor 0.08 to 1"),
    ("a resource that is none", pages.RESOURCES, limits(disk="1Gi"), "", "'disk' is not one of cpu, memory"),
    under="service.template.containers[0].resources.limits",
)  # fmt: skip
PROBE = refusals(
    ("a long delay", pages.PROBE, probing(initial_delay_seconds=241), "initial_delay_seconds", "0 to 240"),
    ("a negative delay", pages.PROBE, probing(initial_delay_seconds=-1), "initial_delay_seconds", "0 to 240"),
    ("a long period", pages.PROBE, probing(period_seconds=241), "period_seconds", "1 to 240"),
    ("a negative wait", pages.PROBE, probing(timeout_seconds=-1), "timeout_seconds", "must be"),
    ("longer than its period", pages.PROBE, probing(timeout_seconds=11), "timeout_seconds", "not exceed"),
    ("a negative threshold", pages.PROBE, probing(failure_threshold=-1), "failure_threshold", "at least 1"),
    ("a probe of no port", pages.PROBE, probing(tcp_socket={"port": 65_536}), "tcp_socket.port", "to 65535"),
    under="service.template.containers[0].startup_probe.",
)  # fmt: skip
TRAFFIC = refusals(
    ("99 percent", pages.TRAFFIC, routing(latest(99)), "", "these sum to 99"),
    ("101 percent", pages.TRAFFIC, routing(latest(50), latest(51)), "", "these sum to 101"),
    ("a share above 100", pages.TRAFFIC, routing(latest(101)), "[0].percent", "101 is not"),
    ("a share below zero", pages.TRAFFIC, routing(latest(100), latest(-1)), "[1].percent", "-1 is not"),
    ("a target of no kind", pages.TRAFFIC, routing({"percent": 100}), "[0].type", "must be LATEST"),
    ("a pin to nothing", pages.TRAFFIC, routing(pinned("", 100)), "[0].revision", "is required"),
    ("a named latest", pages.TRAFFIC, routing(latest(100, revision="r")), "[0].revision", "be empty"),
    ("a shared tag", pages.ROLLOUTS, routing(latest(100, "a"), latest(0, "a")), "[1].tag", "more than"),
    ("a tag with a capital", pages.ROLLOUTS, routing(latest(100, "A")), "[0].tag", "lowercase letters"),
    ("a tag with a dot", pages.ROLLOUTS, routing(latest(100, "v1.2")), "[0].tag", "digits and hyphens"),
    ("47 letters of tag and name", pages.ROLLOUTS, routing(latest(100, "t" * 40)), "[0].tag", "than 46"),
    under="service.traffic",
)  # fmt: skip


@pytest.mark.usefixtures("standing")
@pytest.mark.parametrize("row", SERVICE + TEMPLATE + CONTAINER + LIMITS + PROBE + TRAFFIC)
def test_a_wrong_service_is_refused_and_nothing_is_made(cloud: Cloud, row: Refusal) -> None:
    row.check(cloud)


ACCEPTED = acceptances(
    ("a name of 49 characters", pages.CREATE, creating("a" * 49)),
    ("a description of 512 characters", pages.SERVICE, creating(description="d" * 512)),
    ("a preview's launch stage", pages.SERVICE, creating(launch_stage=3)),
    (
        "labels of the user's own",
        pages.SERVICE,
        creating(labels={"team": "a", "own.dev/b": "c"}),
    ),
    ("a revision of 63 characters", pages.TEMPLATE, templating(revision=LONG)),
    ("a timeout of an hour", pages.TIMEOUT, templating(timeout={"seconds": 3600})),
    ("concurrency of 1000", pages.CONCURRENCY, templating(max_instance_request_concurrency=1000)),
    ("port 65535", pages.PORT, listening(65_535, "http1")),
    ("the least memory", pages.MEMORY, limits(memory="128Mi")),
    ("memory in bytes", pages.MEMORY, limits(memory="268435456")),
    ("the most memory of 1 vCPU", pages.CPU, limits(memory="4Gi", cpu="1000m")),
    ("the least memory of 4 vCPUs", pages.RESOURCES, limits(memory="2Gi", cpu="4")),
    ("the most memory of all", pages.MEMORY, limits(memory="32Gi", cpu="8")),
    ("the least CPU", pages.CPU, limits(memory="512Mi", cpu="80m")),
    ("1000 variables", pages.ENV_LIMITS, containing(env=[{"name": f"A{number}"} for number in range(1000)])),
    ("a value of 32768 bytes", pages.ENV, variable("A", "x" * 32_768)),
    (
        "a probe at its bounds",
        pages.PROBE,
        probing(period_seconds=240, timeout_seconds=240, failure_threshold=1),
    ),
    ("a split in percent", pages.TRAFFIC, routing(latest(1), pinned("refused-a", 99))),
    ("a tag and a name of 46 characters", pages.ROLLOUTS, routing(latest(100, "t" * 39))),
)


@pytest.mark.parametrize("call", ACCEPTED)
def test_a_service_at_its_bound_is_accepted(cloud: Cloud, call: Call) -> None:
    before = everything(cloud)
    checked = call(cloud, validate_only=True).result(polling=POLLING)
    assert checked.template.timeout
    assert checked.uid == ""
    assert everything(cloud) == before


@pytest.mark.conformance(pages.CREATE)
@pytest.mark.refusal
@pytest.mark.parametrize("validate_only", [True, False])
def test_of_many_problems_the_first_one_is_named_every_time(cloud: Cloud, validate_only: bool) -> None:
    wrong = {"description": "d" * 513, "labels": {"run.googleapis.com/a": "b"}, "template": {"revision": "A"}}
    problems = ["service_id", "service.description", "service.labels", "service.template.revision"]
    named = []
    for repair in [{}, {"service_id": "many"}, {"description": ""}, {"labels": {}}]:
        wrong |= repair
        for _ in range(2):
            with pytest.raises(exceptions.InvalidArgument) as refused:
                creating(**{"service_id": "A", **wrong})(cloud, validate_only=validate_only)
            named.append(named_field(refused.value))
    assert named == [field for field in problems for _ in range(2)]


@pytest.mark.conformance(pages.TEMPLATE)
@pytest.mark.parametrize(("cpu", "concurrency"), [("999m", 1), ("1", 80)])
def test_less_than_one_cpu_serves_one_request_at_a_time(cloud: Cloud, cpu: str, concurrency: int) -> None:
    checked = limits(cpu=cpu)(cloud, validate_only=True).result(polling=POLLING)
    assert checked.template.max_instance_request_concurrency == concurrency
