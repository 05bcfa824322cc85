"""Azure's Python SDKs for storage against a running local Azure.

Needs the variables that `aci-operator local env` prints.
"""

import base64
import json
import os
import subprocess
import sys
import threading
import uuid
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.resource import ResourceManagementClient
from azure.mgmt.storage import StorageManagementClient
from azure.storage.blob import BlobLeaseClient, BlobServiceClient, ContainerClient

GROUP = f"blob-clients-{os.getpid()}"
ACCOUNT = f"blobs{os.getpid()}"
ARM = os.environ["ACI_OPERATOR_RESOURCE_MANAGER_URL"]
SUBSCRIPTION = os.environ["AZURE_SUBSCRIPTION_ID"]
CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
WRITERS = 4
ROUNDS = 4


def expect(what: str, actual: object, expected: object) -> None:
    """End the program where two values differ."""
    if actual != expected:
        sys.exit(f"blob.py: {what}: got {actual!r}, expected {expected!r}")
    print(f"ok: {what}")


def code(error: HttpResponseError) -> object:
    """Return the service's code of an error."""
    return getattr(error, "error_code", None)


def fault(*words: str) -> None:
    """Let local Azure inject a fault."""
    program = os.environ["ACI_OPERATOR_BIN"]
    subprocess.run([program, "local", "fault", *words], check=True)  # noqa: S603


def credential() -> ClientSecretCredential:
    """Return the service principal of local Azure."""
    return ClientSecretCredential(
        os.environ["AZURE_TENANT_ID"],
        os.environ["AZURE_CLIENT_ID"],
        os.environ["AZURE_CLIENT_SECRET"],
        authority=os.environ["AZURE_AUTHORITY_HOST"],
        disable_instance_discovery=True,
    )


def make_account() -> str:
    """Make an account with a container and the right to its blobs; return its URL."""
    scopes: dict[str, Any] = {
        "base_url": ARM,
        "credential_scopes": ["https://management.azure.com/.default"],
    }
    resources = ResourceManagementClient(credential(), SUBSCRIPTION, **scopes)
    resources.resource_groups.create_or_update(GROUP, {"location": "westeurope"})
    storage = arm_storage()
    made = storage.storage_accounts.begin_create(
        GROUP,
        ACCOUNT,
        {
            "location": "westeurope",
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS"},
            "properties": {"allowSharedKeyAccess": False, "minimumTlsVersion": "TLS1_2"},
        },
    ).result()
    expect("account", made.provisioning_state, "Succeeded")
    expect("TLS", made.minimum_tls_version, "TLS1_2")
    expect("found", [a.name for a in storage.storage_accounts.list()], [ACCOUNT])
    storage.blob_containers.create(GROUP, ACCOUNT, "home", {})
    expect("container", storage.blob_containers.get(GROUP, ACCOUNT, "home").public_access, "None")
    service = {"properties": {"isVersioningEnabled": True}}
    versioned = storage.blob_services.set_service_properties(GROUP, ACCOUNT, service)
    expect("versions", versioned.is_versioning_enabled, True)
    return str(made.primary_endpoints.blob)


def allow() -> None:
    """Give the service principal the right to blobs."""
    token = credential().get_token("https://management.azure.com/.default").token
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    roles = AuthorizationManagementClient(
        credential(),
        SUBSCRIPTION,
        base_url=ARM,
        credential_scopes=["https://management.azure.com/.default"],
    )
    definition = (
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization"
        f"/roleDefinitions/{CONTRIBUTOR}"
    )
    roles.role_assignments.create(
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}",
        str(uuid.uuid4()),
        {
            "properties": {
                "principalId": claims["oid"],
                "principalType": "ServicePrincipal",
                "roleDefinitionId": definition,
            }
        },
    )


def count_up(url: str) -> None:
    """Add one to a number in a blob, by read and conditional write."""
    blob = BlobServiceClient(url, credential()).get_blob_client("home", "number")
    for _ in range(ROUNDS):
        while True:
            read = blob.download_blob()
            number = int(read.readall())
            try:
                blob.upload_blob(
                    str(number + 1),
                    overwrite=True,
                    etag=read.properties.etag,
                    match_condition=MatchConditions.IfNotModified,
                )
                break
            except ResourceModifiedError:
                continue


def arm_storage() -> StorageManagementClient:
    """Return a client of the storage provider."""
    return StorageManagementClient(
        credential(),
        SUBSCRIPTION,
        polling_interval=1,
        base_url=ARM,
        credential_scopes=["https://management.azure.com/.default"],
    )


def key(url: str, home: ContainerClient) -> None:
    """Use an account key where it is allowed, and a wrong one."""
    accounts = arm_storage().storage_accounts
    accounts.update(GROUP, ACCOUNT, {"properties": {"allowSharedKeyAccess": True}})
    keys = accounts.list_keys(GROUP, ACCOUNT).keys_property or []
    signed = BlobServiceClient(url, AzureNamedKeyCredential(ACCOUNT, str(keys[1].value)))
    signed.get_container_client("home").upload_blob("signed/a b", "4")
    expect("by key", home.download_blob("signed/a b").readall(), b"4")
    listed = signed.get_container_client("home").list_blobs(name_starts_with="signed/")
    expect("list by key", [blob.name for blob in listed], ["signed/a b"])
    try:
        wrong = BlobServiceClient(url, AzureNamedKeyCredential(ACCOUNT, "a2V5"))
        wrong.get_container_client("home").download_blob("other")
        sys.exit("blob.py: read with a wrong key")
    except HttpResponseError as refused:
        expect("a wrong key", code(refused), "AuthenticationFailed")


def main() -> None:
    """Make an account and use its blobs."""
    url = make_account()
    service = BlobServiceClient(url, credential(), retry_total=3, initial_backoff=1)
    home = service.get_container_client("home")
    try:
        home.upload_blob("a", "1")
        sys.exit("blob.py: written without a right")
    except HttpResponseError as refused:
        expect("no right", code(refused), "AuthorizationPermissionMismatch")
    allow()

    home.upload_blob("status/a", "1")
    try:
        home.upload_blob("status/a", "1")
        sys.exit("blob.py: made twice")
    except ResourceExistsError as exists:
        expect("made twice", code(exists), "BlobAlreadyExists")
    home.upload_blob("status/b", "2")
    home.upload_blob("other", "3")
    names = [blob.name for blob in home.list_blobs(name_starts_with="status/")]
    expect("list", names, ["status/a", "status/b"])
    pages = home.list_blobs(name_starts_with="status/", results_per_page=1).by_page()
    expect("pages", len(list(pages)), 2)
    walked = [item.name for item in home.walk_blobs(delimiter="/")]
    expect("delimiter", sorted(walked), ["other", "status/"])

    home.upload_blob("number", "0")
    writers = [threading.Thread(target=count_up, args=(url,)) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    expect("no lost update", int(home.download_blob("number").readall()), WRITERS * ROUNDS)

    lease = BlobLeaseClient(home.get_blob_client("other"))
    lease.acquire(lease_duration=15)
    try:
        BlobLeaseClient(home.get_blob_client("other")).acquire(lease_duration=15)
        sys.exit("blob.py: leased twice")
    except HttpResponseError as taken:
        expect("leased twice", code(taken), "LeaseAlreadyPresent")
    lease.renew()
    lease.release()

    fault("blob", "503", "--times", "2", "--container", "home")
    expect("busy, and again", home.download_blob("other").readall(), b"3")
    try:
        BlobServiceClient(url, "a2V5").get_container_client("home").download_blob("other")
        sys.exit("blob.py: read with a key")
    except (ClientAuthenticationError, HttpResponseError) as refused:
        expect("a key", code(refused), "KeyBasedAuthenticationNotPermitted")
    key(url, home)
    home.delete_blob("other")
    try:
        home.download_blob("other")
        sys.exit("blob.py: it is still there")
    except ResourceNotFoundError as absent:
        expect("absent", code(absent), "BlobNotFound")


main()
