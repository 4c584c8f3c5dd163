"""The emulator, and a service on it for each test."""

from cloud import emulator, staging

__all__ = ["emulator", "staging"]
