"""Run one category of the service's tests by file pattern, and sum up.

Chooses files and starts pytest; the tests themselves find their service in the environment.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from fnmatch import fnmatch
from pathlib import Path

TESTS = Path(__file__).resolve().parent
NOTHING_COLLECTED = 5


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    categories = sorted(folder.name for folder in TESTS.iterdir() if any(folder.glob("test_*.py")))
    parser = argparse.ArgumentParser(description="Run the sample service's tests.")
    parser.add_argument("--category", choices=categories, required=True)
    parser.add_argument("--test-pattern", default="*", help='file names without .py, such as "*staging*"')
    parser.add_argument("--real-services", action="store_true", help="let the tests reach a real service")
    parser.add_argument("--junit-xml", type=Path, metavar="FILE", help="keep pytest's report there")
    return parser.parse_args(argv)


def chosen_files(category: str, pattern: str) -> list[Path]:
    """Return the category's test files whose name matches."""
    files = sorted((TESTS / category).glob("test_*.py"))
    return [file for file in files if fnmatch(file.stem, pattern)]


def run_pytest(files: list[Path], report: Path) -> int:
    """Run pytest on the files and return its exit code."""
    command = [sys.executable, "-m", "pytest", "-v", f"--junit-xml={report}", *map(str, files)]
    return subprocess.run(command, cwd=TESTS.parent, check=False).returncode


def summary(report: Path) -> str:
    """Return one line that counts what pytest reported."""
    if not report.exists():
        return "no report: pytest did not finish"
    suite = ET.parse(report).getroot().find("testsuite")  # noqa: S314 (our own file)
    counts = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
    passed = counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"]
    text = ", ".join([f"{passed} passed", *(f"{n} {name}" for name, n in counts.items() if name != "tests")])
    hollow = " (hollow: every test was skipped)" if counts["tests"] == counts["skipped"] > 0 else ""
    return f"{counts['tests']} tests in {float(suite.get('time', '0')):.1f} s: {text}{hollow}"


def main(argv: list[str] | None = None) -> int:
    """Return pytest's exit code; choosing nothing is a failure, as pytest's own 5."""
    args = parse(argv)
    files = chosen_files(args.category, args.test_pattern)
    if not args.real_services:
        print(f"{args.category} tests reach a real service: allow it with --real-services", file=sys.stderr)
        return 2
    if not files:
        print(f"no file in tests/{args.category} matches {args.test_pattern!r}", file=sys.stderr)
        return NOTHING_COLLECTED
    print(f"{args.category}: {len(files)} files against {os.environ.get('STAGING_BASE_URL') or 'no staging'}")
    with tempfile.TemporaryDirectory() as folder:
        report = args.junit_xml.resolve() if args.junit_xml else Path(folder) / "junit.xml"
        code = run_pytest(files, report)
        print(f"Summary: {summary(report)}; exit code {code}")
    return code


if __name__ == "__main__":
    sys.exit(main())
