"""The engines under test."""

from __future__ import annotations

from functools import partial

import pytest
from engines import ENGINES
from scripted_service import WAYS, Maker, Way, agents_of


@pytest.fixture(params=ENGINES)
def client(request: pytest.FixtureRequest) -> Maker:
    """What makes a client of each engine, with short time limits."""
    return partial(agents_of, ENGINES[request.param])


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Each way through a session of one message."""
    return WAYS[request.param]
