"""The image catalogue: maps an image name to the command that is its container."""

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

SAMPLE_PREFIX = "sample-agent:"
SAMPLE_VARIANTS = frozenset(
    [
        "healthy",
        "previous",
        "crash-loop",
        "startup-error",
        "unhealthy",
        "error-rate",
        "no-answer",
        "session-conflict",
        "factory-failure",
        "missing-event",
        "isolation-leak",
        "slow-connect",
        "slow-answer",
        "memory-leak",
        "session-leak",
        "slow-start",
        "weak-auth",
        "session-confusion",
        "event-faults",
        "factory-faults",
        "wrong-revision",
        "rare-leak",
        "drop-leak",
    ]
)
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_IMAGE_KEYS = {"command", "cwd", "env"}


class CatalogueError(Exception):
    """The user's catalogue file cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """What runs when a revision of this image starts."""

    command: tuple[str, ...]
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)


class Catalogue:
    """The built-in sample images and those of the user's file."""

    def __init__(self, images: Mapping[str, Image]) -> None:
        self._images = images
        # As a secret that is mounted into a service: a token from one instance is good at all the others.
        self._sample_secret = secrets.token_urlsafe(48)

    def find(self, name: str) -> Image | None:
        """Return the image, or None when nobody has built it."""
        if name in self._images:
            return self._images[name]
        variant = name.removeprefix(SAMPLE_PREFIX)
        if name.startswith(SAMPLE_PREFIX) and variant in SAMPLE_VARIANTS:
            return _sample_image(variant, self._sample_secret)
        return None


def load_catalogue(path: Path | None) -> Catalogue:
    """Read `images: {name: {command: […], cwd: …, env: {…}}}`; a relative cwd starts at the file's folder.

    Raises:
        CatalogueError: If the file is unreadable or has an unknown field.
    """
    if path is None:
        return Catalogue({})
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}
    except (OSError, YAMLError) as error:
        raise CatalogueError(f"{path}: {error}") from error
    if not isinstance(document, dict) or set(document) - {"images"}:
        raise CatalogueError(f"{path}: the only key allowed at the top is images")
    images = document.get("images") or {}
    if not isinstance(images, dict):
        raise CatalogueError(f"{path}: images: must be a mapping of names to images")
    return Catalogue({name: _user_image(path, name, entry) for name, entry in images.items()})


def _user_image(path: Path, name: str, entry: Any) -> Image:
    if not isinstance(entry, dict) or set(entry) - _IMAGE_KEYS:
        raise CatalogueError(f"{path}: images.{name}: allowed are {', '.join(sorted(_IMAGE_KEYS))}")
    command = entry.get("command")
    if not isinstance(command, list) or not command:
        raise CatalogueError(f"{path}: images.{name}.command: must be a list with at least one word")
    return Image(
        command=tuple(str(word) for word in command),
        cwd=str((path.parent / entry.get("cwd", ".")).resolve()),
        env={str(key): str(value) for key, value in (entry.get("env") or {}).items()},
    )


def _sample_image(variant: str, secret: str) -> Image:
    inherited = os.environ.get("PYTHONPATH", "")
    search_path = os.pathsep.join(filter(None, [str(_PACKAGE_ROOT), inherited]))
    return Image(
        command=(sys.executable, "-m", "runbook_lib.emulator.sample_service", "--variant", variant),
        env={"PYTHONPATH": search_path, "JWT_SECRET_KEY": secret},
    )
