"""The environment variables that lead clients in a shell to a running emulator."""

from pathlib import Path
from urllib.parse import urlsplit

from .daemon import Running

# gcloud puts the region before the host of the Run API, so that an address would not do. This name is never
# looked up: gcloud's own proxy setting sends the call to the emulator.
_RUN_HOST = "http://run.local.test/"


def client_environment(running: Running, state_dir: Path) -> dict[str, str]:
    """Return the variables for this package's commands and for the real gcloud."""
    own = {f"RUNBOOK_{api}_ENDPOINT": running.grpc for api in ("RUN", "LOGGING", "MONITORING")}
    own["BIGQUERY_EMULATOR_HOST"] = running.http  # the client library's own variable
    return {**own, **_gcloud(running, state_dir)}


def _gcloud(running: Running, state_dir: Path) -> dict[str, str]:
    address = urlsplit(running.http)
    endpoint = f"{running.http}/"
    return {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN": _RUN_HOST,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING": endpoint,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_SERVICEUSAGE": endpoint,
        "CLOUDSDK_PROXY_TYPE": "http",
        "CLOUDSDK_PROXY_ADDRESS": address.hostname or "",
        "CLOUDSDK_PROXY_PORT": str(address.port),
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        # A folder of its own: the user's own account and settings are neither used nor changed.
        "CLOUDSDK_CONFIG": str(state_dir / "gcloud"),
    }
