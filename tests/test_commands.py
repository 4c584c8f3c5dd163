"""Commands run as argument lists, leave no process and no secret behind, and never fill the memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from runbook_lib.clock import SystemClock
from runbook_lib.commands import LocalCommands
from runbook_lib.errors import CommandFailed
from runbook_lib.kept_output import HEAD_BYTES, LINE_BYTES, TAIL_BYTES, KeptOutput
from runbook_lib.ports import CommandResult, Listener
from runbook_lib.process_tree import MARK

PATH = {"PATH": os.environ["PATH"]}


def run(
    *argv: str, cwd: Path | str = ".", env: Mapping[str, str] | None = None, timeout_s: float = 60,
    environment: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (), listener: Listener | None = None,
) -> CommandResult:  # fmt: skip
    commands = LocalCommands({**PATH, **(environment or {})}, SystemClock())
    return commands.run(
        argv, cwd=Path(cwd), env=dict(env or {}), timeout_s=timeout_s, secrets=secrets, listener=listener
    )


def alive(pid: int) -> bool:
    """Say whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def high_water_kib() -> int:
    """Return the most memory that this process has held, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_the_exit_code_both_streams_and_the_window_are_kept() -> None:
    result = run("sh", "-c", "echo out; echo err >&2; exit 7")
    assert (result.exit_code, result.output) == (7, "out\nerr\n")
    assert 0 <= result.window.seconds < 60


@pytest.mark.parametrize("text", ["$HOME; echo x", "`id`", "* ?", "a b", "", "'\"", "\n", "%s {x}"])
def test_arguments_reach_the_command_as_they_are_and_no_shell_reads_them(text: str) -> None:
    assert run("python", "-c", "import sys; print(ascii(sys.argv[1]))", text).output == ascii(text) + "\n"


@pytest.mark.parametrize("name", ["python", "python3"])
def test_python_means_the_interpreter_that_runs_this(name: str) -> None:
    assert run(name, "-c", "import sys; print(sys.executable)").output == f"{sys.executable}\n"


def test_the_commands_own_variables_are_laid_over_the_given_environment_and_nothing_else_is_there(
    tmp_path: Path,
) -> None:
    result = run(
        "sh", "-c", "echo $A $B; pwd", cwd=tmp_path, env={"B": "3"}, environment={"A": "1", "B": "2"}
    )
    assert result.output == f"1 3\n{tmp_path}\n"
    names = run("python", "-c", "import os; print(sorted(os.environ))", env={"B": "3"}).output
    assert set(eval(names)) - {"LC_CTYPE"} == {"B", "PATH", MARK}  # noqa: S307


def test_a_command_that_asks_for_input_gets_none_rather_than_waiting() -> None:
    assert run("cat").output == ""


def test_a_secret_of_the_environment_never_appears_in_the_output() -> None:
    result = run(
        "sh", "-c", 'echo "$STAGING_PASSWORD|$API_TOKEN|$PLAIN"', env={"API_TOKEN": "of-the-plan"},
        environment={"STAGING_PASSWORD": "correct horse", "PLAIN": "plain text"},
    )  # fmt: skip
    assert result.output == "[redacted]|[redacted]|plain text\n"


def test_terminal_sequences_are_taken_out_and_hide_no_secret() -> None:
    program = r"printf 'a\033[31mred\033[0m sword\033[1mfish \033]8;;http://x\007y'"
    assert run("sh", "-c", program, secrets=["swordfish"]).output == "ared [redacted] y"


def test_a_secret_whose_variable_has_a_harmless_name_is_masked_where_it_is_told() -> None:
    assert run("sh", "-c", "echo an-opaque-thing", secrets=["an-opaque-thing"]).output == "[redacted]\n"


@pytest.mark.parametrize("before", range(HEAD_BYTES + 9_900, HEAD_BYTES + 10_020, 20))
def test_a_secret_that_the_outputs_limit_would_cut_in_two_does_not_appear_in_part(before: int) -> None:
    secret = b"S" + b"ecret" * 20
    output = KeptOutput()
    for chunk in (b"x" * before, secret, b"y" * 3_000_000, secret, b"z" * (TAIL_BYTES + 9_950)):
        output.feed(chunk)
    shown = output.text((secret.decode(),)).replace("[redacted]", "")
    assert "ecret" not in shown


def test_fifty_megabytes_of_output_keep_both_ends_and_do_not_fill_the_memory() -> None:
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark falls to what is used now
    before_kib = high_water_kib()
    line = "sys.stdout.write('x' * 999_999 + chr(10))"
    result = run("python", "-c", f"import sys\nprint('begun')\nfor _ in range(50): {line}\nprint('the end')")
    grown_kib = high_water_kib() - before_kib
    assert result.output.startswith("begun\nxxx")
    assert result.output.endswith("x\nthe end\n")
    assert re.search(r"x\n… 4[89],\d{3},\d{3} bytes left out …\nx", result.output)
    assert len(result.output) < HEAD_BYTES + TAIL_BYTES + 100_000
    assert grown_kib < 20_000


class Heard:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.pulses = 0

    def hear(self, line: str) -> None:
        self.lines.append(line)

    def pulse(self) -> None:
        self.pulses += 1


def test_a_listener_hears_every_line_and_of_an_endless_one_the_beginning() -> None:
    heard = Heard()
    program = f"print('a\\r'); print('b' * {3 * LINE_BYTES}); print('c', end='')"
    run("python", "-c", program, listener=heard)
    assert heard.lines == ["a", "b" * LINE_BYTES, "c"]


def test_a_listener_hears_a_line_while_the_command_still_runs(tmp_path: Path) -> None:
    class Answering(Heard):
        def hear(self, line: str) -> None:
            super().hear(line)
            (tmp_path / "heard").touch()

    waiting = "echo first; while [ ! -e heard ]; do sleep 0.02; done; echo last"
    heard = Answering()
    assert run("sh", "-c", waiting, cwd=tmp_path, listener=heard, timeout_s=30).exit_code == 0
    assert heard.lines == ["first", "last"]
    assert heard.pulses >= 2


def test_a_command_that_closes_its_output_is_waited_for() -> None:
    result = run("sh", "-c", "echo said; exec >&- 2>&-; sleep 0.3; exit 4")
    assert (result.exit_code, result.output) == (4, "said\n")


def test_binary_output_is_read_as_far_as_it_is_text() -> None:
    result = run("python", "-c", r"import sys; sys.stdout.buffer.write(b'a\xff\x00b\xc3\xa9')")
    assert result.output == "a\ufffd\x00bé"


STUBBORN = """
import os, signal, subprocess, sys, time
code = '''
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1] + '.part', 'w').write(str(os.getpid()))
os.replace(sys.argv[1] + '.part', sys.argv[1])
time.sleep(600)
'''
child = subprocess.Popen([sys.executable, '-c', code, sys.argv[1]])
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
print('child is up', flush=True)
if sys.argv[2] == 'stay':
    child.wait()
"""


def test_the_time_limit_ends_a_grandchild_that_ignores_sigterm_too(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    result = run("python", "-c", STUBBORN, str(pid_file), "stay", timeout_s=5)
    assert (result.exit_code, result.output) == (None, "child is up\n")
    assert gone_within(int(pid_file.read_text()), 10)


def test_a_process_that_a_command_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    result = run("python", "-c", STUBBORN, str(pid_file), "leave")
    assert result.exit_code == 0
    assert gone_within(int(pid_file.read_text()), 10)


HIDING = """
import os, subprocess, sys
code = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); os.close(1); time.sleep(600)"
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, '-c', code, sys.argv[1]])
    os._exit(0)
while not os.path.exists(sys.argv[1]):
    pass
if sys.argv[2] == 'stay':
    os.wait(); import time; time.sleep(600)
"""


@pytest.mark.parametrize(("mode", "code"), [("stay", None), ("leave", 0)])
def test_a_grandchild_in_a_session_of_its_own_is_ended_too(
    tmp_path: Path, mode: str, code: int | None
) -> None:
    pid_file = tmp_path / "pid"
    result = run("python", "-c", HIDING, str(pid_file), mode, timeout_s=2 if mode == "stay" else 60)
    assert result.exit_code == code
    assert not alive(int(pid_file.read_text()))


def test_a_child_that_cleared_its_environment_is_ended_at_the_time_limit(tmp_path: Path) -> None:
    program = "setsid env -i sh -c 'echo $$ > pid; exec sleep 600' & while true; do sleep 1; done"
    assert run("sh", "-c", program, cwd=tmp_path, timeout_s=1.5).exit_code is None
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_command_beside_it_lives_on(tmp_path: Path) -> None:
    other = subprocess.Popen(["/bin/sleep", "600"], env={MARK: "another"})
    try:
        run("sh", "-c", "sleep 600 & exit 0")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_command_may_tidy_up_at_its_time_limit() -> None:
    program = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('tidied', flush=True), sys.exit(0)))\n"
        "print('ready', flush=True)\ntime.sleep(600)"
    )
    result = run("python", "-c", program, timeout_s=4)
    assert (result.exit_code, result.output) == (None, "ready\ntidied\n")


def test_a_command_that_dies_of_a_signal_has_a_negative_exit_code() -> None:
    assert run("sh", "-c", "kill -9 $$").exit_code == -9


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("no-such-program", "x"), "No such file or directory"),
        (("/tmp",), "Permission denied"),  # noqa: S108 - a folder that is there, and no program
        (("sh", "a\0b"), "embedded null byte"),
    ],
)
def test_a_command_that_cannot_be_started_is_named_with_its_folder_and_the_reason(
    tmp_path: Path, argv: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(CommandFailed) as caught:
        run(*argv, cwd=tmp_path)
    assert str(caught.value) == (
        f"{argv[0]} in {tmp_path} cannot be started ({reason}): check command and cwd in the plan"
    )


def test_a_folder_that_is_not_there_is_the_reason(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed) as caught:
        run("sh", "-c", "true", cwd=tmp_path / "none")
    assert str(caught.value) == (
        f"sh in {tmp_path}/none cannot be started (No such file or directory): "
        "check command and cwd in the plan"
    )


ORPHANS = """
import os, sys
from pathlib import Path
from runbook_lib.clock import SystemClock
from runbook_lib.commands import LocalCommands
body = "echo $$ > pids; setsid sleep 300 & echo $! >> pids; sleep 300 & echo $! >> pids; touch ready; wait"
commands = LocalCommands(os.environ, SystemClock())
commands.run(["sh", "-c", body], cwd=Path(sys.argv[1]), env={}, timeout_s=600)
"""


def test_nothing_of_a_command_outlives_a_runner_that_is_killed(tmp_path: Path) -> None:
    runner = subprocess.Popen([sys.executable, "-c", ORPHANS, str(tmp_path)])
    deadline = time.monotonic() + 30
    while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert [alive(pid) for pid in pids] == [True] * 3
    runner.kill()
    runner.wait()

    assert [gone_within(pid, 5) for pid in pids] == [True] * 3
