"""What a request costs on this machine: ``python -m benchmarks`` (see docs/performance.md for the method)."""
