"""Resource names of Cloud Run: what they look like and which parts they have."""

import re
from dataclasses import dataclass

from .errors import invalid

_SERVICE_ID = re.compile(r"[a-z]([-a-z0-9]{0,47}[a-z0-9])?")
_REVISION_ID = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_TAG = re.compile(r"[a-z]([-a-z0-9]{0,44}[a-z0-9])?")
_LOCATION = re.compile(r"projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)")
_SERVICE = re.compile(_LOCATION.pattern + r"/services/(?P<service>[^/]+)")
_REVISION = re.compile(_SERVICE.pattern + r"/revisions/(?P<revision>[^/]+)")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A project and a region."""

    project: str
    location: str

    def __str__(self) -> str:
        return f"projects/{self.project}/locations/{self.location}"


@dataclass(frozen=True, kw_only=True)
class RevisionId:
    """Which revision something belongs to; names the monitored resource `cloud_run_revision`."""

    project: str
    location: str
    service: str
    revision: str

    @property
    def place(self) -> Place:
        """Project and region."""
        return Place(project=self.project, location=self.location)

    @property
    def service_name(self) -> str:
        """Full resource name of the service."""
        return f"{self.place}/services/{self.service}"

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the monitored resource."""
        return {
            "project_id": self.project,
            "location": self.location,
            "service_name": self.service,
            "revision_name": self.revision,
            "configuration_name": self.service,
        }


def parse_place(field: str, name: str) -> Place:
    """Read `projects/P/locations/L`, refusing the `-` wildcard as the API does."""
    found = _LOCATION.fullmatch(name)
    if not found or found["location"] == "-":
        raise invalid(field, f"'{name}' is not projects/PROJECT/locations/REGION")
    return Place(**found.groupdict())


def parse_service(field: str, name: str) -> RevisionId:
    """Read a full service name; the revision part is empty."""
    found = _SERVICE.fullmatch(name)
    if not found:
        raise invalid(field, f"'{name}' is not projects/PROJECT/locations/REGION/services/SERVICE")
    return RevisionId(revision="", **found.groupdict())


def parse_revision(field: str, name: str) -> RevisionId:
    """Read a full revision name."""
    found = _REVISION.fullmatch(name)
    if not found:
        raise invalid(field, f"'{name}' is not projects/…/services/SERVICE/revisions/REVISION")
    return RevisionId(**found.groupdict())


def check_service_id(service_id: str) -> None:
    """Refuse a service name that Cloud Run would refuse."""
    if not _SERVICE_ID.fullmatch(service_id):
        raise invalid(
            "service_id",
            f"'{service_id}' must begin with a letter, use only lowercase letters, digits and hyphens, "
            "not end with a hyphen and have fewer than 50 characters",
        )


def check_revision_id(field: str, service_id: str, revision_id: str) -> None:
    """Refuse a revision name that lacks the service's prefix or has other characters."""
    if not revision_id.startswith(f"{service_id}-"):
        raise invalid(field, f"'{revision_id}' must be prefixed by the service name: {service_id}-…")
    if not _REVISION_ID.fullmatch(revision_id):
        raise invalid(
            field, f"'{revision_id}' must use lowercase letters, digits and hyphens, at most 63 characters"
        )


def check_tag(field: str, tag: str) -> None:
    """Refuse a traffic tag that cannot be part of a host name."""
    if not _TAG.fullmatch(tag):
        raise invalid(
            field,
            f"'{tag}' must begin with a letter and use lowercase letters, digits and hyphens (46 at most)",
        )
