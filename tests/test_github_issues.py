"""A comment is put on an issue once, by the real client over its wire; each refusal is one clear error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from github_server import GitHub, serving

from runbook_lib.errors import (
    CloudError,
    CloudUnavailable,
    NotFound,
    PermissionDenied,
    PlanError,
    QuotaExceeded,
)
from runbook_lib.github_issues import Issue, issue_of, put_comment

MARK = "<!-- staging validation run-1 -->"
WRONG = "ghp_wrong0123456789abcd"
BODY = f"{MARK}\n## ROLLBACK\n"


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serving() as server:
        yield server


def issue(github: GitHub, **changes: object) -> Issue:
    given = {"repository": "acme/chat", "number": 7, "api": github.api, "token": github.token} | changes
    return Issue(**given)  # type: ignore[arg-type]


def test_a_comment_is_created_once_and_then_replaced(github: GitHub) -> None:
    for text in ("somebody's", "else's", "words", f"{MARK.replace('run-1', 'run-2')} another run"):
        github.add(text, login="ada", kind="User")
    first = put_comment(issue(github), BODY, MARK)
    again = put_comment(issue(github), f"{BODY}anew", MARK)
    assert (first.new, again.new, first.url) == (True, False, again.url)
    assert [each["body"] for each in github.comments if MARK in each["body"]] == [f"{BODY}anew"]
    assert github.asked[-1] == "PATCH /repos/acme/chat/issues/comments/1005"
    assert "GET /repos/acme/chat/issues/7/comments?per_page=100&page=2" in github.asked


@pytest.mark.parametrize("me", ["ada", None])
def test_a_comment_that_somebody_else_has_marked_is_left_alone(github: GitHub, me: str | None) -> None:
    github.me = me
    github.add(BODY, login="mallory", kind="User")
    assert put_comment(issue(github), BODY, MARK).new
    assert not put_comment(issue(github), f"{BODY}anew", MARK).new
    assert [each["body"] for each in github.comments] == [BODY, f"{BODY}anew"]


@pytest.mark.parametrize(
    ("refusal", "kind", "text"),
    [
        ((403, "Resource not accessible", {}), PermissionDenied,
         "403 Resource not accessible: give the token the permission to write issues (`issues: write`)"),
        ((404, "Not Found", {}), NotFound,
         "404 Not Found: check --repo and --issue; what a token may not see looks the same"),
        ((410, "Issues are disabled", {}), NotFound,
         "410 Issues are disabled: issues are switched off in this repository"),
        ((422, "Validation Failed", {}), CloudError,
         "422 Validation Failed: GitHub does not take this comment; the issue may be locked"),
        ((502, "Server Error", {}), CloudUnavailable, "502 Server Error: send it again later"),
        ((403, "API rate limit exceeded",
          {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000000"}),
         QuotaExceeded, "403 API rate limit exceeded: wait until GitHub's rate limit is reset"),
    ],
)  # fmt: skip
def test_each_refusal_is_one_error_that_says_what_to_do(
    github: GitHub, refusal: tuple[int, str, dict[str, str]], kind: type[CloudError], text: str
) -> None:
    github.refusal = refusal
    with pytest.raises(CloudError) as caught:
        put_comment(issue(github), BODY, MARK)
    assert (type(caught.value), caught.value.exit_code) == (kind, 3)
    assert str(caught.value) == f"issues.comment on acme/chat#7 answered {text}"
    assert caught.value.__cause__ is None


def test_a_wrong_token_and_a_dead_host_are_told_without_the_token(github: GitHub) -> None:
    with pytest.raises(PermissionDenied) as wrong:
        put_comment(issue(github, token=WRONG), BODY, MARK)
    with pytest.raises(CloudUnavailable) as dead:
        put_comment(issue(github, api="http://127.0.0.1:9"), BODY, MARK)
    assert [str(each.value) for each in (wrong, dead)] == [
        "issues.comment on acme/chat#7 answered 401 Bad credentials: export a GITHUB_TOKEN that is valid",
        "issues.comment on acme/chat#7 answered nothing usable (ConnectError): "
        "check the network and http://127.0.0.1:9, then send it again",
    ]
    assert repr(issue(github)) == "Issue(acme/chat#7)"


def test_the_environment_of_a_workflow_says_where_and_by_which_token() -> None:
    environment = {
        "GITHUB_REPOSITORY": "acme/chat",
        "GH_TOKEN": "t",
        "GITHUB_API_URL": "https://git.test/api/",
    }
    found = issue_of("", 7, environment)
    assert (str(found), found.api, found.token) == ("acme/chat#7", "https://git.test/api", "t")
    assert issue_of("o/r", 1, {"GITHUB_TOKEN": "t"}).api == "https://api.github.com"


@pytest.mark.parametrize(
    ("repository", "number", "environment", "text"),
    [
        ("chat", 7, {}, "--repo: 'chat' is no repository: give OWNER/NAME"),
        ("o/r/../x", 7, {}, "--repo: 'o/r/../x' is no repository: give OWNER/NAME"),
        ("o/r", None, {}, "--issue: which issue? The plan names none: give its number"),
        ("o/r", 7, {}, "GITHUB_TOKEN: no token: export GITHUB_TOKEN with one that may write issues"),
        ("o/r", 7, {"GITHUB_TOKEN": "t", "GITHUB_API_URL": "http://git.test"},
         "GITHUB_API_URL: http://git.test is not encrypted: the token would be seen; give https://…"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_before_anything_is_sent(
    repository: str, number: int | None, environment: dict[str, str], text: str
) -> None:
    with pytest.raises(PlanError) as caught:
        issue_of(repository, number, environment)
    assert str(caught.value) == text
