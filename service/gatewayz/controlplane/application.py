"""The control plane: everything but the data plane's paths, as one FastAPI application made of one router a file."""

from __future__ import annotations

from fastapi import FastAPI

from gatewayz import __version__
from gatewayz.controlplane import health, index, metrics
from gatewayz.controlplane.errors import install_error_handlers

ROUTERS = (index.router, health.router, metrics.router)


def create_control_plane() -> FastAPI:
    """Routes without resources: give it those with attach() before it serves."""
    app = FastAPI(
        title="GatewayZ control plane",
        version=__version__,
        # FastAPI would otherwise make spans and metrics of its own, beside those of our instrumentation.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
        # These pages run JavaScript from another server in the browser of an administrator.
        # /openapi.json feeds any viewer.
        docs_url=None,
        redoc_url=None,
        # A path is there or it is not; a redirect of /metrics/ would lose a scraper's credentials on the way.
        redirect_slashes=False,
    )
    install_error_handlers(app, ROUTERS)
    for router in ROUTERS:
        app.include_router(router)
    return app
