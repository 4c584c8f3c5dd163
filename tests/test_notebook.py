"""What cells show is safe, and readable by everything that opens a notebook."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest

from runbook_lib.errors import PlanError
from runbook_lib.notebook import PLOTLY_MIME, Shown, begin, resume

ROOT = Path(__file__).parents[1]
AS_IT_IS = '<div class="mathjax_ignore tex2jax_ignore">'
HOSTILE = "<img src=x onerror=alert(1)>"


def test_a_sentence_and_its_tables_are_shown_as_html_and_as_text() -> None:
    shown = Shown(sentence="Two rows", parts=(pd.DataFrame({"a": ["1", "2"]}),))
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/html"].startswith(f"{AS_IT_IS}<p>Two rows</p><p><table")
    assert bundle["text/plain"].split() == ["Two", "rows", "a", "1", "2"]


def test_whatever_comes_from_outside_is_escaped() -> None:
    bundle = Shown(sentence=HOSTILE, parts=(pd.DataFrame({HOSTILE: [HOSTILE]}),))._repr_mimebundle_()
    assert "<img" not in bundle["text/html"]
    assert bundle["text/html"].count("&lt;img src=x onerror=alert(1)&gt;") == 3


def test_a_chart_brings_its_numbers_for_readers_that_draw_nothing() -> None:
    bundle = Shown(
        sentence="Up", parts=(pd.DataFrame({"n": ["7"]}),), figure=go.Figure(go.Bar(y=[7]))
    )._repr_mimebundle_()
    assert bundle[PLOTLY_MIME]["data"][0]["type"] == "bar"
    assert ">7</td>" in bundle["text/html"]


def test_an_empty_table_is_not_shown() -> None:
    assert Shown(sentence="None", parts=(pd.DataFrame(columns=["a"]),))._repr_mimebundle_() == {
        "text/html": f"{AS_IT_IS}<p>None</p></div>",
        "text/plain": "None",
    }


def test_a_notebook_without_a_run_says_which_one_to_open_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "01_deploy.ipynb").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PlanError, match=r"^run_dir: there is no run yet: run 01_deploy first$"):
        resume()


def test_a_hostile_parameter_is_text_and_never_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(PlanError, match=r"^os: parameter: unknown field"):
        begin("plans/quickstart.yaml", "", **{"os.system('x')": "x"})
