"""``python -m gatewayz``."""

from gatewayz.cli import main

main()
