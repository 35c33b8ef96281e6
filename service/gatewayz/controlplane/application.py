"""The control plane: everything but ``/v1``, as one FastAPI application."""

from __future__ import annotations

from fastapi import FastAPI

from gatewayz import __version__
from gatewayz.controlplane.errors import install_error_handlers
from gatewayz.controlplane.health import add_health_routes
from gatewayz.controlplane.index import add_index_routes
from gatewayz.controlplane.metrics import add_metrics_routes


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
        # These pages run JavaScript from somebody else's server, in the browser of somebody who administers a gateway.
        # /openapi.json feeds any viewer.
        docs_url=None,
        redoc_url=None,
        # A path is there or it is not; a redirect of /metrics/ would lose a scraper's credentials on the way.
        redirect_slashes=False,
    )
    install_error_handlers(app)
    add_index_routes(app)
    add_health_routes(app)
    add_metrics_routes(app)
    return app
