"""Count the rows of the conformance suite: as a script, prints each one with the page it follows.

Rows stand in several files, beside the fixtures that they need; pytest itself tells which there are.
"""

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1]


class Census:
    """Notes each collected row."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write down what pytest has found: kind, page and test."""
        for item in session.items:
            mark = item.get_closest_marker("conformance")
            kind = "refusal" if item.get_closest_marker("refusal") else "acceptance"
            self.rows.append("\t".join([kind, *map(str, mark.args if mark else ()), item.nodeid]))


def main() -> int:
    """Collect the rows, print them, and return pytest's own exit code."""
    census = Census()
    options = [
        "--collect-only",
        "-qq",
        "--no-summary",
        "-m",
        "conformance or refusal",
        "-p",
        "no:cacheprovider",
    ]
    code = pytest.main([*options, f"--rootdir={FOLDER.parents[1]}", str(FOLDER)], plugins=[census])
    sys.stdout.write("".join(f"row\t{row}\n" for row in census.rows))
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
