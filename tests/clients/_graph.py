"""Microsoft Graph's Python SDK against a running local Azure.

Needs the variables that `aci-operator local env` prints.
"""

import asyncio
import os
import ssl
import sys
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import httpx
from azure.identity.aio import ClientSecretCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.applications.applications_request_builder import ApplicationsRequestBuilder
from msgraph.generated.applications.item.add_password.add_password_post_request_body import (
    AddPasswordPostRequestBody,
)
from msgraph.generated.models.api_application import ApiApplication
from msgraph.generated.models.application import Application
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant
from msgraph.generated.models.password_credential import PasswordCredential
from msgraph.generated.models.permission_scope import PermissionScope
from msgraph.generated.models.service_principal import ServicePrincipal
from msgraph.generated.models.web_application import WebApplication
from msgraph_core import GraphClientFactory

NAME = f"graph-clients-{os.getpid()}"
GRAPH = os.environ["ACI_OPERATOR_GRAPH_URL"]


def expect(what: str, actual: object, expected: object) -> None:
    """End the program where two values differ."""
    if actual != expected:
        sys.exit(f"graph.py: {what}: got {actual!r}, expected {expected!r}")
    print(f"ok: {what}")


async def eventually[T](call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call while what it needs does not show yet."""
    while True:
        try:
            return await call()
        except ODataError as error:
            if error.response_status_code not in (400, 404):
                raise
            await asyncio.sleep(0.2)


def connect() -> GraphServiceClient:
    """Return a client of local Azure."""
    credential = ClientSecretCredential(
        os.environ["AZURE_TENANT_ID"],
        os.environ["AZURE_CLIENT_ID"],
        os.environ["AZURE_CLIENT_SECRET"],
        authority=os.environ["AZURE_AUTHORITY_HOST"],
        disable_instance_discovery=True,
    )
    scopes = [f"{GRAPH}/.default"]
    provider = AzureIdentityAuthenticationProvider(
        credential, scopes=scopes, allowed_hosts=[httpx.URL(GRAPH).netloc.decode()]
    )
    verified = httpx.AsyncClient(
        verify=ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])
    )
    client = GraphClientFactory.create_with_default_middleware(client=verified)
    adapter = GraphRequestAdapter(provider, client)
    adapter.base_url = f"{GRAPH}/v1.0"
    return GraphServiceClient(request_adapter=adapter)
