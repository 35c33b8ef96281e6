module gatewayz/benchmarks/load

go 1.25
