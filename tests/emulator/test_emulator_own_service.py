"""A server of the user's own, in another language, is deployed by gcloud and gets its share of traffic."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from math import sqrt
from pathlib import Path

import httpx
import local
import pytest
from gcloud_shell import FLAGS, Shell, require, require_gcloud, shell
from websockets.asyncio.client import connect

SERVER = Path(__file__).parent / "servers" / "other_language.js"
SERVICE = "v2/projects/netra-staging/locations/us-central1/services/theirs"
REQUESTS, SOCKETS = 2000, 200
NEW_SHARE = 0.1
AT_ONCE = 20


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """An emulator whose catalogue has one image more, deployed twice: 90 % to the old, 10 % to the new."""
    require_gcloud()
    require("node", "install Node.js (Debian package nodejs), then run again")
    folder = tmp_path_factory.mktemp("own")
    catalogue = folder / "catalogue.yaml"
    catalogue.write_text(f"images:\n  their-server:\n    command: [node, {SERVER}]\n", encoding="utf-8")
    # The seed makes the split repeatable: a test beyond 3 sigma is a fault, not bad luck.
    with shell(folder, folder, "--catalogue", str(catalogue), "--seed", "11") as opened:
        opened.run(f"gcloud run deploy theirs --image their-server {FLAGS}")
        opened.run(f"gcloud run deploy theirs --image their-server --no-traffic --tag new {FLAGS}")
        opened.run(f"gcloud run services update-traffic theirs --to-tags=new=10 {FLAGS}")
        yield opened


def routes(cloud: Shell) -> dict[str, str]:
    """Return service URI, tag URI, and the names of the two revisions."""
    shown = local.get(f"{cloud.info['http']}/{SERVICE}", timeout=30).json()
    shares = {each.get("percent", 0): each["revision"] for each in shown["trafficStatuses"]}
    (tagged,) = [each for each in shown["trafficStatuses"] if "tag" in each]
    assert tagged["revision"] == shares[10]
    return {"uri": shown["uri"], "tag": tagged["uri"], "old": shares[90], "new": shares[10]}


async def spoken(uri: str, word: str) -> str:
    """Open a WebSocket, say a word and return the answer."""
    async with connect(uri.replace("http", "ws", 1), compression=None, proxy=None) as socket:
        await socket.send(word)
        return str(await socket.recv())


async def asked(uri: str, requests: int, sockets: int) -> Counter[str]:
    """Return how many requests and WebSockets each revision served."""
    served: Counter[str] = Counter()
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(limits=limits, timeout=60) as client:

        async def one(number: int) -> None:
            if number < sockets:
                revision, heard, word = (await spoken(uri, f"word {number}")).split(" ", 2)
                assert (heard, word) == ("heard", f"word {number}")
            else:
                revision = (await client.get(f"{uri}/path?n={number}")).json()["revision"]
            served[revision] += 1

        for first in range(0, requests, AT_ONCE):
            await asyncio.gather(*(one(n) for n in range(first, min(first + AT_ONCE, requests))))
    return served


async def test_two_thousand_requests_are_shared_out_within_three_sigma(cloud: Shell) -> None:
    found = routes(cloud)
    served = await asked(found["uri"], REQUESTS, SOCKETS)

    assert set(served) == {found["old"], found["new"]}
    assert served.total() == REQUESTS
    sigma = sqrt(REQUESTS * NEW_SHARE * (1 - NEW_SHARE))
    assert abs(served[found["new"]] - REQUESTS * NEW_SHARE) <= 3 * sigma


async def test_a_tag_reaches_its_own_revision_and_no_other(cloud: Shell) -> None:
    found = routes(cloud)
    assert await asked(found["tag"], 200, 40) == {found["new"]: 200}


async def test_its_output_and_its_requests_are_in_the_log(cloud: Shell) -> None:
    found = routes(cloud)
    assert local.get(f"{found['tag']}/only-once").status_code == 200
    read = "gcloud logging read --project=netra-staging --format=json"
    (line,) = cloud.json(
        f'{read} \'jsonPayload.message="node listens" resource.labels.revision_name="{found["new"]}"\''
    )
    assert line["severity"] == "INFO"
    (request,) = cloud.json(f"{read} 'httpRequest.requestUrl:only-once'")
    assert request["resource"]["labels"]["revision_name"] == found["new"]
    assert request["httpRequest"]["status"] == 200
