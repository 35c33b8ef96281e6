"""The native stack: finds, builds, starts, watches and stops the gateway and the components around it."""
