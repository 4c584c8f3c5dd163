"""The commands for finished runs: what they print, and how they end."""

from __future__ import annotations

from pathlib import Path

import pytest
from github_server import serving
from small_plan import WritePlan

from runbook_lib.cli.app import main
from runbook_lib.notebook import diff, history
from runbook_lib.plan.file import load_plan
from runbook_lib.run_folder import RunFolder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def outputs(tmp_path: Path, plan_file: WritePlan, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs that ended before the judge, of plans that differ in one field, and a stranger."""
    monkeypatch.chdir(ROOT)
    plan = load_plan(plan_file())
    folder = tmp_path / "outputs"
    RunFolder.create(folder, "run-1", plan)
    more = plan.probes.model_copy(update={"rounds": 5})
    RunFolder.create(folder, "run-2", plan.model_copy(update={"probes": more}))
    (folder / "stranger").mkdir()
    return folder


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_a_comment_is_shown_always_and_sent_on_request_alone(
    outputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(outputs / "run-1")
    with serving() as github:
        monkeypatch.setenv("GITHUB_API_URL", github.api)
        monkeypatch.setenv("GITHUB_TOKEN", github.token)
        command = ("comment", run, "--issue", "7", "--repo", "acme/chat")
        assert ended(*command) == 0
        out = capsys.readouterr().out
        assert out.startswith("<!-- staging validation run-1 -->\n## No verdict\n")
        assert out.endswith("Not sent: add --send\n")
        assert github.asked == []

        github.refusal = (403, "Resource not accessible by integration", {})
        assert ended(*command, "--send") == 3
        shown = capsys.readouterr()
        assert shown.out.startswith("<!-- staging validation run-1 -->")
        assert shown.err == (
            "PermissionDenied: issues.comment on acme/chat#7 answered "
            "403 Resource not accessible by integration: "
            "give the token the permission to write issues (`issues: write`)\n"
        )

        github.refusal = None
        assert [ended(*command, "--send") for _ in range(2)] == [0, 0]
        lines = [line for line in capsys.readouterr().out.splitlines() if "acme/chat#7" in line]
        url = github.comments[0]["html_url"]
        assert lines == [f"sent to acme/chat#7: {url}", f"replaced on acme/chat#7: {url}"]
        assert len(github.comments) == 1
    assert ended("comment", run, "--repo", "acme/chat", "--send") == 2
    assert (
        capsys.readouterr().err == "PlanError: --issue: which issue? The plan names none: give its number\n"
    )


def test_a_diff_names_the_changed_field_in_terminal_and_notebook(
    outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = str(outputs / "run-1"), str(outputs / "run-2")
    assert ended("diff", *runs) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    (row,) = (line for line in lines if "probes.rounds" in line)
    assert row in ("plan probes.rounds: 2 → 5", "plan probes.rounds 2 5")  # a wide terminal gets a table
    assert lines[-1] == "1 thing differs; nothing else does beyond chance; every value is the same."
    shown = diff(*runs)._repr_mimebundle_()
    assert "probes.rounds" in shown["text/html"]
    assert ended("diff", runs[0], runs[0]) == 0
    assert capsys.readouterr().out == "Nothing differs beyond chance; every value is the same.\n"
    assert ended("diff", runs[0], str(outputs / "stranger")) == 2


def test_the_history_names_what_it_left_out_and_can_be_written_as_a_page(
    outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "history.html"
    assert ended("history", "chat", "--folder", str(outputs), "--html", str(page)) == 0
    out = capsys.readouterr().out
    assert "stranger is no run folder: it has no plan.yaml" in out
    assert "2 runs of chat: 2 no verdict; 1 left out." in out
    assert "No run was put under load." in page.read_text()
    assert "stranger is no run folder" in page.read_text()
    assert history("chat", str(outputs)).sentence == "2 runs of chat: 2 no verdict; 1 left out"
    assert ended("history", "--folder", str(outputs), "--html", str(tmp_path / "no" / "page.html")) == 3
    assert (
        "page.html cannot be written (No such file or directory): give another --html"
        in capsys.readouterr().err
    )
