"""Names the v2 field that a refusal is about as the v1 API calls it; pure.

Source: https://cloud.google.com/run/docs/reference/rest/v1/namespaces.services
"""

import re

# The first that a field begins with counts.
_V1 = {
    "service.template.containers": "spec.template.spec.containers",
    "service.template.max_instance_request_concurrency": "spec.template.spec.containerConcurrency",
    "service.template.timeout": "spec.template.spec.timeoutSeconds",
    "service.template.revision": "spec.template.metadata.name",
    "service.template": "spec.template.metadata",
    "service.traffic": "spec.traffic",
    "service.description": "metadata.annotations[run.googleapis.com/description]",
    "service.launch_stage": "metadata.annotations[run.googleapis.com/launch-stage]",
    "service.": "metadata.",
    "service_id": "metadata.name",
}


def v1_field(field: str) -> str:
    """Return the v1 path of a v2 field; what is no field of a service stays as it is."""
    for v2, v1 in _V1.items():
        if field.startswith(v2):
            return v1 + re.sub(r"_([a-z])", lambda found: found[1].upper(), field.removeprefix(v2))
    return field
