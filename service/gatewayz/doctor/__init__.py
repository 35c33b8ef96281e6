"""`gatewayz doctor`: sends one request and follows it through every hop, then says which link is broken and what to do."""

from gatewayz.doctor.checkup import DoctorOptions, run

__all__ = ["DoctorOptions", "run"]
