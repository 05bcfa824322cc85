"""Microsoft Graph's Python SDK against a running local Azure.

Needs the variables that `aci-operator local env` prints.
"""

import asyncio
import os
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID, uuid4

import httpx
from azure.identity.aio import ClientSecretCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_abstractions.headers_collection import HeadersCollection
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.applications.applications_request_builder import (
    ApplicationsRequestBuilder as Applications,
)
from msgraph.generated.applications.item.add_password.add_password_post_request_body import (
    AddPasswordPostRequestBody,
)
from msgraph.generated.models.api_application import ApiApplication
from msgraph.generated.models.application import Application
from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.password_credential import PasswordCredential
from msgraph.generated.models.permission_scope import PermissionScope
from msgraph.generated.models.pre_authorized_application import PreAuthorizedApplication
from msgraph.generated.models.service_principal import ServicePrincipal
from msgraph.generated.models.spa_application import SpaApplication
from msgraph_core import GraphClientFactory

NAME = f"graph-clients-{os.getpid()}"
GRAPH = os.environ["ACI_OPERATOR_GRAPH_URL"]
Made = TypeVar("Made")


def expect(what: str, actual: object, expected: object) -> None:
    """End the program where two values differ."""
    if actual != expected:
        sys.exit(f"graph.py: {what}: got {actual!r}, expected {expected!r}")
    print(f"ok: {what}")


async def eventually(call: Callable[[], Awaitable[Made]], *pending: str) -> Made:
    """Repeat a call while what it needs does not show yet."""
    while True:
        try:
            return await call()
        except ODataError as error:
            if error.error.code not in pending:
                raise
            await asyncio.sleep(0.2)


def connect(credential: ClientSecretCredential) -> GraphServiceClient:
    """Return a client of local Azure."""
    host = httpx.URL(GRAPH).host
    provider = AzureIdentityAuthenticationProvider(
        credential, scopes=[f"{GRAPH}/.default"], allowed_hosts=[host]
    )
    trusted = ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])
    http = GraphClientFactory.create_with_default_middleware(
        client=httpx.AsyncClient(verify=trusted)
    )
    adapter = GraphRequestAdapter(provider, http)
    adapter.base_url = f"{GRAPH}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


async def upsert(client: GraphServiceClient, name: str, body: Application) -> Application | None:
    """Make an application, or change the one of that name."""
    headers = HeadersCollection()
    headers.add("Prefer", "create-if-missing")
    configuration = RequestConfiguration(headers=headers)
    return await client.applications_with_unique_name(name).patch(body, configuration)


async def pair(client: GraphServiceClient) -> tuple[Application, Application]:
    """Make an API with a scope, and a page that needs no consent to it."""
    api = await upsert(client, f"{NAME}-api", Application(display_name=NAME))
    expect("made by upsert", api.unique_name, f"{NAME}-api")
    scope = PermissionScope(
        id=uuid4(),
        value="user_impersonation",
        type="User",
        is_enabled=True,
        admin_consent_display_name="Access",
        admin_consent_description="Access as the user",
    )
    change = Application(
        identifier_uris=[f"api://{api.app_id}"],
        api=ApiApplication(requested_access_token_version=2, oauth2_permission_scopes=[scope]),
    )
    one = client.applications.by_application_id(api.id)
    await eventually(lambda: one.patch(change), "Request_ResourceNotFound")

    spa = SpaApplication(redirect_uris=["https://a.example/oauth2-redirect"])
    page = await client.applications.post(
        Application(display_name=f"{NAME} - OpenAPI", spa=spa, sign_in_audience="AzureADMyOrg")
    )
    trusted = PreAuthorizedApplication(app_id=page.app_id, delegated_permission_ids=[str(scope.id)])
    change = Application(api=ApiApplication(pre_authorized_applications=[trusted]))
    await eventually(lambda: one.patch(change), "InvalidValue")
    return api, page


async def principals(client: GraphServiceClient, apps: tuple[Application, Application]) -> None:
    """Make both service principals, and an administrator's consent."""
    made = []
    for app in apps:
        body = ServicePrincipal(app_id=app.app_id)
        made.append(
            await eventually(lambda b=body: client.service_principals.post(b), "Request_BadRequest")
        )
    api, page = made
    grant = OAuth2PermissionGrant(
        client_id=page.id,
        consent_type="AllPrincipals",
        resource_id=api.id,
        scope="user_impersonation",
    )
    granted = await eventually(
        lambda: client.oauth2_permission_grants.post(grant), "Request_ResourceNotFound"
    )
    expect("consent", granted.scope, "user_impersonation")


async def found(client: GraphServiceClient) -> list[str]:
    """Return the names of our applications, page by page."""
    query = Applications.ApplicationsRequestBuilderGetQueryParameters(
        filter=f"startswith(displayName,'{NAME}')", select=["id", "displayName"], top=1
    )
    page = await client.applications.get(RequestConfiguration(query_parameters=query))
    names = [app.display_name for app in page.value]
    while page.odata_next_link:
        page = await client.applications.with_url(page.odata_next_link).get()
        names += [app.display_name for app in page.value]
    return sorted(names)


async def main() -> None:
    """Make, find, change, delete and restore two applications."""
    async with ClientSecretCredential(
        os.environ["AZURE_TENANT_ID"],
        os.environ["AZURE_CLIENT_ID"],
        os.environ["AZURE_CLIENT_SECRET"],
        authority=os.environ["AZURE_AUTHORITY_HOST"],
        disable_instance_discovery=True,
        connection_verify=os.environ["REQUESTS_CA_BUNDLE"],
    ) as credential:
        client = connect(credential)
        api, page = await pair(client)
        await principals(client, (api, page))
        expect("pages", await found(client), [NAME, f"{NAME} - OpenAPI"])

        shown = await client.applications_with_app_id(api.app_id).get()
        expect("identifier", shown.identifier_uris, [f"api://{api.app_id}"])
        expect("pre-authorised", shown.api.pre_authorized_applications[0].app_id, page.app_id)
        expect("scope id", isinstance(shown.api.oauth2_permission_scopes[0].id, UUID), True)
        one = client.applications.by_application_id(api.id)
        named = PasswordCredential(display_name="ci")
        secret = await one.add_password.post(AddPasswordPostRequestBody(password_credential=named))
        expect("secret", (secret.display_name, len(secret.secret_text)), ("ci", 40))

        again = await upsert(client, f"{NAME}-api", Application(display_name=NAME, notes="n"))
        expect("changed by upsert", again, None)
        try:
            await one.patch(Application(api=ApiApplication(oauth2_permission_scopes=[])))
            sys.exit("graph.py: an enabled scope could be removed")
        except ODataError as refused:
            code = "CannotDeleteOrUpdateEnabledEntitlement"
            expect("an enabled scope stays", refused.error.code, code)

        await one.delete()
        try:
            body = Application(display_name=NAME)
            await eventually(
                lambda: upsert(client, f"{NAME}-api", body), "Request_ResourceNotFound"
            )
            sys.exit("graph.py: the name of a deleted application is free")
        except ODataError as refused:
            expect("the name is held", refused.error.code, "Request_BadRequest")
        item = client.directory.deleted_items.by_directory_object_id(api.id)
        await eventually(lambda: item.restore.post(), "Request_ResourceNotFound")
        restored = await eventually(lambda: one.get(), "Request_ResourceNotFound")
        expect("restored", restored.app_id, api.app_id)
        for app in (api, page):
            gone = client.applications.by_application_id(app.id)
            await eventually(lambda g=gone: g.delete(), "Request_ResourceNotFound")


asyncio.run(main())
