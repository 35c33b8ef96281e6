"""What holds for every route: JSON errors, no trace, no page from elsewhere, one shape."""

from __future__ import annotations

import logging

import httpx
import pytest
from fastapi import FastAPI

from gatewayz.controlplane.application import create_control_plane
from gatewayz.errors import Overloaded
from tests.unit.controlplane.rig import ControlPlane, served


async def test_index_names_the_gateway_and_links_to_its_pages(plane: ControlPlane) -> None:
    answer = await plane.http.get("/")
    links = answer.json()["links"]
    assert answer.json()["name"] == "GatewayZ"
    assert (await plane.http.head("/")).headers["content-length"] == answer.headers["content-length"]
    for name in ("health", "metrics", "openapi"):
        assert (await plane.http.get(links[name])).status_code == 200


async def test_openapi_lists_the_routes_and_no_page_loads_scripts_from_elsewhere(plane: ControlPlane) -> None:
    document = (await plane.http.get("/openapi.json")).json()
    assert set(document["paths"]) == {"/", "/health", "/health/live", "/health/ready", "/metrics"}
    assert (await plane.http.get("/docs")).status_code == 404
    assert (await plane.http.get("/redoc")).status_code == 404


async def test_openapi_has_an_example_of_every_answer_and_the_shape_of_every_error(plane: ControlPlane) -> None:
    document = (await plane.http.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for status, answer in methods["get"]["responses"].items():
            ((kind, content),) = answer["content"].items()
            if kind == "text/plain":
                assert content["example"], path
                continue
            name = content["schema"]["$ref"].rpartition("/")[2]
            schema = schemas[name]
            if name == "ErrorAnswer":
                assert int(status) >= 400
                assert set(schemas["ErrorDetail"]["properties"]) == {"message", "type", "param", "code"}
            else:
                assert "examples" in schema or all("examples" in one for one in schema["properties"].values()), name


async def test_unknown_path_and_wrong_method_are_json(plane: ControlPlane) -> None:
    unknown = await plane.http.get("/<script>alert(1)</script>")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")
    assert "script" not in unknown.text
    wrong = await plane.http.post("/metrics")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "GET, HEAD"


def with_routes_that_fail() -> FastAPI:
    app = create_control_plane()

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("canary: an internal detail")

    @app.get("/busy")
    async def busy() -> None:
        raise Overloaded("Too much at once.", retry_after_s=0.2)

    @app.get("/number")
    async def number(value: int) -> int:
        return value

    return app


async def test_failures_are_one_sentence_in_one_shape(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    async with served(with_routes_that_fail()) as address, httpx.AsyncClient(base_url=address, trust_env=False) as http:
        broken = await http.get("/broken")
        assert (broken.status_code, broken.json()["error"]["code"]) == (500, "internal_error")
        assert "canary" not in broken.text
        busy = await http.get("/busy")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
        assert busy.json()["error"] == {
            "message": "Too much at once.",
            "type": "gateway_error",
            "param": None,
            "code": "gateway_overloaded",
        }
        wrong = await http.get("/number", params={"value": "canary"})
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "query.value")
        assert "canary" not in wrong.text
