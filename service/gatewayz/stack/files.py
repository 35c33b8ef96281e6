"""Where do the component folders lie: in this checkout, or inside the installed package?"""

from __future__ import annotations

from pathlib import Path

from gatewayz.stack.errors import StackError

LANDMARK = Path("otel-collector", "build", "component.yaml")


def component_files(given: Path | None = None) -> Path:
    """The directory that holds ``otel-collector/``, ``prometheus/``, …

    A checkout comes first, so that an edited configuration is the one that runs. Raises StackError if neither is there.
    """
    package = Path(__file__).resolve().parent
    places = [given.resolve()] if given else [package.parents[2], package / "files"]
    for place in places:
        if (place / LANDMARK).is_file():
            return place
    raise StackError(
        f"The component folders (otel-collector/, prometheus/, …) are not in {' or '.join(str(p) for p in places)}: "
        "run from a checkout of GatewayZ, or install its wheel again."
    )
