"""`gatewayz demo`: mixed traffic for a while, so that every series, trace and log has something to show."""

from gatewayz.traffic.demo import TrafficOptions, run

__all__ = ["TrafficOptions", "run"]
