module gatewayz/jaeger

go 1.26.0

// 2.13.0; no list of indirect modules: it builds read-only without one
require github.com/jaegertracing/jaeger v1.76.0
