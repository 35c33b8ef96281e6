"""Telemetry is a sink: the gateway reports what happened, and nothing here can fail a request."""

import os

# gRPC's core writes notes such as "Got goaway" to stderr, past every logger, and reads this once, when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
