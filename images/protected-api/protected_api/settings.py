"""What the environment says, checked once at start: a wrong value stops the process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from protected_api.origins import normalise

Guid = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$")]
"""An identifier of Entra, in lower case."""


class Settings(BaseSettings):
    """All settings; each is the environment variable of its name with `APP_` before it."""

    model_config = SettingsConfigDict(env_prefix="APP_", extra="ignore", frozen=True)

    client_id: Guid
    tenant_id: Guid
    authority: str = ""
    """The issuer without `/v2.0`; the cloud's own if not given."""
    scope: str = ""
    """What every signed-in user's token carries, in full: `api://{client_id}/user_impersonation`."""
    swagger_client_id: Guid | Literal[""] = ""
    """The single-page application that signs in from `/docs`; without it there is no `/docs`."""
    allowed_clients: Annotated[frozenset[Guid], NoDecode] = frozenset()
    """Further applications whose tokens are accepted, beside the one above."""
    allow_guests: bool = False
    origins: Annotated[frozenset[str], NoDecode] = frozenset()
    origins_file: Path | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("client_id", "tenant_id", "swagger_client_id", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.strip().upper() if isinstance(value, str) else value

    @field_validator("allowed_clients", mode="before")
    @classmethod
    def _clients(cls, value: object) -> object:
        return frozenset(_words(value.lower())) if isinstance(value, str) else value

    @field_validator("origins", mode="before")
    @classmethod
    def _origins(cls, value: object) -> object:
        return frozenset(map(normalise, _words(value))) if isinstance(value, str) else value

    @field_validator("origins_file", mode="before")
    @classmethod
    def _no_file(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, values: dict[str, object]) -> dict[str, object]:
        tenant, client = (str(values.get(key, "")).lower() for key in ("tenant_id", "client_id"))
        values["authority"] = (
            values.get("authority") or f"https://login.microsoftonline.com/{tenant}"
        )
        values["scope"] = values.get("scope") or f"api://{client}/user_impersonation"
        return values

    @model_validator(mode="after")
    def _agree(self) -> Self:
        parts = urlsplit(self.authority)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.query:
            raise ValueError("APP_AUTHORITY: must be https://HOST/TENANT")
        if parts.path.lower() != f"/{self.tenant_id}":
            raise ValueError("APP_AUTHORITY: must end with the identifier in APP_TENANT_ID")
        if not self.resource or not self.scope_name or any(c.isspace() for c in self.scope):
            raise ValueError("APP_SCOPE: must be a scope in full, as api://CLIENT/NAME")
        return self

    @property
    def issuer(self) -> str:
        """The `iss` of every token that is accepted."""
        return f"{self.authority}/v2.0"

    @property
    def scope_name(self) -> str:
        """The scope as tokens spell it."""
        return self.scope.rpartition("/")[2]

    @property
    def resource(self) -> str:
        """What stands before the name of each scope of this API."""
        return self.scope.rpartition("/")[0]

    @property
    def clients(self) -> frozenset[str]:
        """Applications whose tokens are accepted; none at all named: those of the whole tenant."""
        return self.allowed_clients | ({self.swagger_client_id} - {""})


class SettingsError(Exception):
    """What is wrong with the environment, one line a variable."""


def load(environment: Mapping[str, object] | None = None) -> Settings:
    """Read the settings from the environment (a test gives them itself)."""
    try:
        return Settings(**environment or {})  # type: ignore[arg-type]
    except ValidationError as error:
        lines = []
        for fault in error.errors(include_url=False, include_input=False, include_context=False):
            name = "".join(f"APP_{part}".upper() for part in fault["loc"][:1])
            said = fault["msg"].removeprefix("Value error, ")
            lines.append(f"{name}: {said}" if name else said)
        raise SettingsError("\n".join(sorted(set(lines)))) from None


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()
