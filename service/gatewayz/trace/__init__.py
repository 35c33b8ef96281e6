"""`gatewayz trace`: one request as its store has it, span under span, with its log lines."""

from gatewayz.trace.run import TraceOptions, run

__all__ = ["TraceOptions", "run"]
