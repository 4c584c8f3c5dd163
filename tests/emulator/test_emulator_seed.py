"""Every command of the seed document runs as it is written, in the sample service's folder."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import local
import pytest
from emulator_cloud import ROOT
from gcloud_shell import Shell, require_gcloud, shell
from markdown_it import MarkdownIt

from runbook_lib.plan import Suite
from runbook_lib.plan.suite import as_argv

SEED = ROOT / "docs" / "seed" / "issue-891-staging-validation-report.md"
FOLDER = ROOT / "runbook_lib" / "emulator" / "sample_service"
SERVICE = "projects/netra-staging/locations/us-central1/services/backend-service"
PLACEHOLDER = "PREVIOUS_REVISION_ID"
REVISION = r"backend-service-\d{5}-\w{3}"
# Exactly one form must fit each command; beside it stands what its output must hold.
EXPECTED = {
    r"python scripts/deploy_to_gcp\.py (?!.*--rollback).*": rf"(?m)^Revision ID: {REVISION}$",
    rf"python scripts/deploy_to_gcp\.py .*--rollback --revision {REVISION}": rf"(?m)^Rolled back to: "
    rf"{REVISION}$",
    r"python tests/\S+\.py::\w+::(\w+) -v": r"\b1 passed\b",
    r"python tests/e2e/\w+\.py -v": r"(?m)^Ran [1-9]\d* tests? in [\d.]+s\n\nOK$",
    r"python tests/unified_test_runner\.py .*": r"Summary: \d+ tests in [\d.]+ s: [1-9]\d* passed, "
    r"0 failures, 0 errors, 0 skipped; exit code 0",
    r"gcloud run revisions list .*": rf"(?m)^\S+ +{REVISION} +yes +backend-service ",
    r"gcloud logging read .*(\n.*)*": r'"service_name": "backend-service"',
}

pytestmark = pytest.mark.xdist_group("seed")


def blocks() -> list[str]:
    """Return the document's command blocks."""
    tokens = MarkdownIt().parse(SEED.read_text(encoding="utf-8", errors="replace"))
    return [token.content for token in tokens if token.type == "fence" and token.info == "bash"]


def commands(block: str) -> list[str]:
    """Return a block's commands with their line breaks; comments are none."""
    whole = re.sub(r"(?m)^\s*#.*\n", "", block)
    return [found[0].strip() for found in re.finditer(r"(?:[^\n]*\\\n)*[^\n]+", whole) if found[0].strip()]


COMMANDS = [command for block in blocks() for command in commands(block)]


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """An emulator on which the service was deployed before, with the defects that the issue is about."""
    require_gcloud()
    with shell(tmp_path_factory.mktemp("seed"), FOLDER) as opened:
        deploy = "python scripts/deploy_to_gcp.py --project netra-staging --service backend --build-local"
        opened.run(deploy, SAMPLE_IMAGE="sample-agent:previous")
        opened.run(deploy)
        yield opened


def service(staging: Shell) -> dict:
    """Return the service as the API shows it."""
    return dict(local.get(f"{staging.info['http']}/v2/{SERVICE}", timeout=30).json())


def previous_revision(staging: Shell) -> str:
    """Return the revision that was deployed first."""
    listed = local.get(f"{staging.info['http']}/v2/{SERVICE}/revisions", timeout=30).json()
    return min(revision["name"] for revision in listed["revisions"]).rsplit("/", 1)[1]


def run(staging: Shell, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the staged service's address in the environment."""
    return staging.run(command, STAGING_BASE_URL=service(staging)["uri"])


def runnable(command: str) -> str:
    """Return the command itself, or pytest's form of `python FILE.py::TEST`, which Python cannot run."""
    if ".py::" not in command:
        return command
    suite = Suite(command=tuple(shlex.split(command)), must_reach_candidate=False)
    return shlex.join(as_argv(suite))


def test_every_command_block_of_the_document_is_found() -> None:
    text = SEED.read_text(encoding="utf-8", errors="replace")
    assert len(blocks()) == len(re.findall(r"(?m)^```bash$", text)) == 8
    programs = re.findall(r"(?m)^(?:python|gcloud) .*$", "\n".join(blocks()))
    assert [command.split("\n")[0] for command in COMMANDS] == programs
    assert len(COMMANDS) == 12


@pytest.mark.parametrize("command", COMMANDS, ids=range(len(COMMANDS)))
def test_a_command_of_the_document_does_what_it_says(staging: Shell, command: str) -> None:
    filled = command.replace(PLACEHOLDER, previous_revision(staging))
    (expected,) = [then for form, then in EXPECTED.items() if re.fullmatch(form, filled)]
    before = service(staging)["latestCreatedRevision"]
    done = run(staging, runnable(filled))
    assert re.search(expected, done.stdout + done.stderr), done.stdout + done.stderr

    after = service(staging)
    if "deploy_to_gcp.py" in command:
        rolled_back = "--rollback" in command
        assert (after["latestCreatedRevision"] == before) is rolled_back
        serving = previous_revision(staging) if rolled_back else after["latestReadyRevision"].rsplit("/")[-1]
        assert [(each["revision"], each["percent"]) for each in after["trafficStatuses"]] == [(serving, 100)]
    if "logging read" in command:
        entries = json.loads(done.stdout)
        assert 0 < len(entries) <= 50
        assert {entry["resource"]["type"] for entry in entries} == {"cloud_run_revision"}


def test_the_document_is_the_only_text_in_its_folder_but_the_reason_why() -> None:
    assert {path.name for path in Path(SEED.parent).iterdir()} == {SEED.name, "README.md"}
