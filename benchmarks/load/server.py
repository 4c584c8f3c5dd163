"""Build the chat server and run it on the first core."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
TOOLS = HERE / ".tools"
CERTIFICATE = TOOLS / "cert.pem"
_SERVER, _KEY = TOOLS / "chat_server", TOOLS / "key.pem"


def build() -> None:
    """Build it, and make a certificate of this machine that vouches for itself."""
    TOOLS.mkdir(exist_ok=True)
    flags = ["-O2", "-o", str(_SERVER), str(HERE / "chat_server.c"), "-lssl", "-lcrypto"]
    subprocess.run(["/usr/bin/env", "gcc", *flags], check=True)
    about = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "30", "-nodes"]
    files = ["-keyout", str(_KEY), "-out", str(CERTIFICATE)]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    request = ["/usr/bin/env", "openssl", "req", "-x509", *curve, *about, *files]
    subprocess.run(request, check=True, capture_output=True)


@contextmanager
def server(
    tls: bool = False, settings: Mapping[str, str] | None = None, told: Path | None = None
) -> Iterator[str]:
    """Run it for a while; yields its URL.

    Args:
        tls: Whether it speaks TLS.
        settings: Its environment variables.
        told: Where what it tells of itself goes.
    """
    argv = ["taskset", "-c", "0", str(_SERVER), "0", *([str(CERTIFICATE), str(_KEY)] if tls else [])]
    told = told or TOOLS / "server.log"
    with (
        told.open("w") as log,
        subprocess.Popen(argv, stdout=log, env={**os.environ, **(settings or {})}) as running,
    ):
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{_port(told)}"
        finally:
            running.terminate()
            running.wait()


def _port(told: Path) -> int:
    while not (lines := told.read_text().splitlines()):
        pass
    return int(lines[0].split()[1])
