"""The emulator, and a service on it for each test that needs one."""

from cloud import emulator, staging

__all__ = ["emulator", "staging"]
