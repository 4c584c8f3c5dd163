"""A project of the suite's own on the folder's emulator, and one service that most rows only look at."""

from dataclasses import replace

import pytest
from emulator_cloud import LATEST, PINNED, Cloud
from google.cloud import run_v2


@pytest.fixture(scope="session")
def cloud(cloud: Cloud) -> Cloud:
    """The real clients, in a project where nothing happens but these rows."""
    return replace(cloud, project="conformance")


@pytest.fixture(scope="session")
def standing(cloud: Cloud) -> run_v2.Service:
    """A service whose first revision `standing-a` serves, while the latest, `standing-b`, has but a tag."""
    made = cloud.deploy("standing", revision="standing-a")
    made.template.revision = "standing-b"
    made.traffic = [
        run_v2.TrafficTarget(type_=PINNED, revision="standing-a", percent=100),
        run_v2.TrafficTarget(type_=LATEST, tag="next"),
    ]
    return cloud.update(made)
