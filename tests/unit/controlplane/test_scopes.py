"""require_scope: who may call a route of the control plane."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends

from gatewayz.controlplane.deps import require_scope
from gatewayz.records import KeyIdentity
from tests.unit.controlplane.rig import ControlPlane, control_plane

router = APIRouter()


@router.get("/whoami")
async def whoami(key: Annotated[KeyIdentity, Depends(require_scope("admin:read"))]) -> str:
    return key.name


@pytest.fixture
async def guarded() -> AsyncGenerator[ControlPlane]:
    async with control_plane(routers=[router]) as plane:
        yield plane


@pytest.mark.parametrize("headers", [{"authorization": "Bearer reader"}, {"x-api-key": "admin"}])
async def test_key_with_the_scope_is_let_in(guarded: ControlPlane, headers: dict[str, str]) -> None:
    answer = await guarded.http.get("/whoami", headers=headers)
    assert (answer.status_code, answer.json()) == (200, "".join(headers.values()).removeprefix("Bearer "))


async def test_key_without_the_scope_is_403_with_the_missing_scope(guarded: ControlPlane) -> None:
    answer = await guarded.http.get("/whoami", headers={"authorization": "Bearer caller"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "missing_scope")
    assert "admin:read" in answer.json()["error"]["message"]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer canary"}, {"authorization": "Basic YTpi"}])
async def test_no_key_or_an_unknown_one_is_401(guarded: ControlPlane, headers: dict[str, str]) -> None:
    answer = await guarded.http.get("/whoami", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "canary" not in answer.text


async def test_openapi_lists_the_key_that_the_route_requires(guarded: ControlPlane) -> None:
    document = (await guarded.http.get("/openapi.json")).json()
    assert document["paths"]["/whoami"]["get"]["security"] == [{"API key": []}]
    assert document["components"]["securitySchemes"]["API key"]["scheme"] == "bearer"
    assert "parameters" not in document["paths"]["/whoami"]["get"]
