"""The seed's service in small: login, a WebSocket to per-user agents, health, and switchable defects."""
