"""``python -m gatewayz``."""

from gatewayz.cli import main

# Guarded, because worker processes are spawned and read this file again.
if __name__ == "__main__":
    main()
