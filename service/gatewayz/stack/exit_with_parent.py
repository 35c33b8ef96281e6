"""Makes a child exit when its parent does, then becomes the child. Run as a script, never imported by the gateway:

    python -I -S exit_with_parent.py SIGNAL PARENT_PID COMMAND [ARGUMENT ...]

On Linux the kernel sends SIGNAL to the child when the parent ends, even after ``kill -9`` (PR_SET_PDEATHSIG, prctl(2); it
outlives the exec). Doing this here and not between fork and exec of the runner keeps Python code out of the forked copy of a
process with threads. Elsewhere than on Linux the command is run as it is.
"""

from __future__ import annotations

import os
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    death_signal, parent, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call above: no signal will come any more
            return 1
    try:
        os.execvp(command[0], command)  # noqa: S606  # the point of this file
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
