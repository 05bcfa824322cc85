"""Azure's Python SDK against a running local Azure.

Needs the variables that `aci-operator local env` prints.
"""

import os
import sys
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest
from azure.identity import ClientSecretCredential
from azure.mgmt.containerinstance import ContainerInstanceManagementClient

GROUP = f"sdk-clients-{os.getpid()}"
NAME = "sdk"
FILE = "Y29udGVudCBvZiBhIGZpbGU="
IMAGE = "mcr.microsoft.com/azuredocs/aci-helloworld"


def expect(what: str, actual: object, expected: object) -> None:
    """End the program where two values differ."""
    if actual != expected:
        sys.exit(f"sdk.py: {what}: got {actual!r}, expected {expected!r}")
    print(f"ok: {what}")


def resource_group(client: ContainerInstanceManagementClient, method: str) -> None:
    """Make or delete one: another package's, but the pipeline of this one will do."""
    url = f"/subscriptions/{os.environ['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{GROUP}"
    request = HttpRequest(
        method,
        url,
        params={"api-version": "2021-04-01"},
        json={"location": "westeurope"} if method == "PUT" else None,
    )
    request.url = client._client.format_url(request.url)
    response = client._client.send_request(request)
    response.raise_for_status()


def body(image: str, cpu: float = 1.0) -> dict[str, Any]:
    """Return a group with one container and a secret of each kind."""
    return {
        "location": "West Europe",
        "os_type": "Linux",
        "tags": {"made-by": "sdk"},
        "containers": [
            {
                "name": "app",
                "image": image,
                "resources": {"requests": {"cpu": cpu, "memory_in_gb": 1.0}},
                "environment_variables": [{"name": "KEY", "secure_value": "secret-of-the-sdk"}],
                "volume_mounts": [{"name": "v", "mount_path": "/secrets"}],
            }
        ],
        "volumes": [{"name": "v", "secret": {"key": FILE}}],
    }


def main() -> None:
    """Make, change, list and delete a group."""
    credential = ClientSecretCredential(
        os.environ["AZURE_TENANT_ID"],
        os.environ["AZURE_CLIENT_ID"],
        os.environ["AZURE_CLIENT_SECRET"],
        authority=os.environ["AZURE_AUTHORITY_HOST"],
        disable_instance_discovery=True,
    )
    client = ContainerInstanceManagementClient(
        credential,
        os.environ["AZURE_SUBSCRIPTION_ID"],
        base_url=os.environ["ACI_OPERATOR_RESOURCE_MANAGER_URL"],
        polling_interval=1,
    )
    groups = client.container_groups
    resource_group(client, "PUT")

    made = groups.begin_create_or_update(GROUP, NAME, body(IMAGE)).result()
    expect("created", made.provisioning_state, "Succeeded")
    shown = groups.get(GROUP, NAME)
    expect("state", shown.instance_view.state, "Running")
    expect("region", shown.location, "westeurope")
    expect("secret volume", shown.volumes[0].secret, {})
    expect("secure value", shown.containers[0].environment_variables[0].secure_value, None)
    expect("restart policy", shown.restart_policy, "Always")
    started = shown.containers[0].instance_view.current_state.start_time

    groups.begin_create_or_update(GROUP, NAME, body(IMAGE)).result()
    again = groups.get(GROUP, NAME).containers[0].instance_view.current_state.start_time
    expect("the same PUT restarts", again > started, True)

    try:
        groups.begin_create_or_update(GROUP, NAME, body(IMAGE, cpu=2.0)).result()
        sys.exit("sdk.py: a change of CPU went through")
    except HttpResponseError as refused:
        expect("a change of CPU", refused.error.code, "InvalidContainerGroupUpdate")

    patched = groups.update(GROUP, NAME, {"tags": {"a": "b"}})
    expect("tags", patched.tags, {"a": "b"})
    listed = list(groups.list_by_resource_group(GROUP))
    expect("list", [(g.name, g.instance_view) for g in listed], [(NAME, None)])
    expect(
        "logs",
        isinstance(client.containers.list_logs(GROUP, NAME, "app", tail=5).content, str),
        True,
    )

    groups.begin_delete(GROUP, NAME).result()
    try:
        groups.get(GROUP, NAME)
        sys.exit("sdk.py: it is still there")
    except ResourceNotFoundError as absent:
        expect("absent", absent.error.code, "ResourceNotFound")
    resource_group(client, "DELETE")


main()
