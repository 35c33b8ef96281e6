"""What routes depend on: the resources that the lifespan opened, and who may call.

A route takes what it needs as a parameter of one of the annotated types below; nothing is global.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, Request, Security
from fastapi.security import HTTPBearer

from gatewayz.accounts.keys.credentials import credential_of
from gatewayz.config import Settings
from gatewayz.controlplane.health_monitor import HealthMonitor
from gatewayz.errors import Forbidden
from gatewayz.records import KeyIdentity, KeyScope

Authenticate = Callable[[str | None], Awaitable[KeyIdentity]]
"""Whose key a credential is; raises Unauthenticated, Unavailable or Overloaded (``Keys.authenticate``)."""


@dataclass(frozen=True, slots=True)
class Services:
    """Open resources; the lifespan, which opened them, closes them."""

    settings: Settings
    health: HealthMonitor
    exposition: Callable[[str], tuple[bytes, str]]
    """Given an Accept header, this process's own metrics and their content type."""
    authenticate: Authenticate
    http: httpx.AsyncClient
    """Instrumented; for the Collector and the stores."""


def attach(app: FastAPI, services: Services) -> None:
    """Give ``app`` what its routes need. To be called in the lifespan, before the first request."""
    app.state.services = services


def services_of(request: Request) -> Services:
    services = request.app.state.services
    if not isinstance(services, Services):
        raise TypeError("attach() was given something that is not Services")
    return services


ServicesDep = Annotated[Services, Depends(services_of)]


def _health_of(services: ServicesDep) -> HealthMonitor:
    return services.health


def _settings_of(services: ServicesDep) -> Settings:
    return services.settings


HealthDep = Annotated[HealthMonitor, Depends(_health_of)]
SettingsDep = Annotated[Settings, Depends(_settings_of)]

# For OpenAPI alone; the credential is read where the data plane reads it, from any of the SDKs' headers.
_api_key = HTTPBearer(auto_error=False, scheme_name="API key", description="A key made by `gatewayz keys create`.")


def require_scope(scope: KeyScope) -> Callable[..., Awaitable[KeyIdentity]]:
    """A dependency for routes that need a key with ``scope``; gives the route the key's identity.

    Raises Unauthenticated without a valid key, Forbidden when the key lacks the scope.
    """

    async def identity(
        request: Request, services: ServicesDep, _documented: Annotated[object, Security(_api_key)]
    ) -> KeyIdentity:
        key = await services.authenticate(credential_of(request.scope["headers"]))
        if scope not in key.scopes:
            raise Forbidden(f"This key may not do that: it lacks the scope '{scope}'.", code="missing_scope")
        return key

    return identity
