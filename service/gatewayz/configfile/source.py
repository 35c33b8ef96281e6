"""Where a worker's configuration comes from: the operator's file, and a copy of the last one that was in force."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from gatewayz.config import ConfigurationError
from gatewayz.configfile.document import read_text
from gatewayz.configfile.load import parse_config
from gatewayz.configfile.schema import ConfigFile, ProviderEntry

logger = logging.getLogger(__name__)

KEPT_NAME = "gatewayz.yaml.applied"

T = TypeVar("T")


class ConfigSource:
    """Reads the file, and keeps a copy of it in the data directory once it is in force.

    The copy is for a worker that takes the place of one that died while the file on disk is a rejected one: it goes on with
    what the others have. Without it one crash would end all workers, since a worker that cannot start stops the supervisor.
    """

    def __init__(self, path: Path | None, data_dir: Path, shipped: Mapping[str, ProviderEntry]) -> None:
        self.path = path
        self._kept = data_dir / KEPT_NAME
        self._shipped = shipped
        self._text: str | None = None

    def read(self) -> ConfigFile:
        """What the file says now. Raises ConfigurationError with file, line and path."""
        if self.path is None:
            return ConfigFile(self._shipped)
        self._text = read_text(self.path)
        return parse_config(self._text, self.path.name, self._shipped)

    def in_force(self) -> None:
        """What was read last is in force: keep a copy. A data directory that cannot be written to costs only that."""
        if self._text is None:
            return
        draft = self._kept.with_name(f"{KEPT_NAME}.{os.getpid()}")
        with contextlib.suppress(OSError):
            draft.write_text(self._text, encoding="utf-8")
            draft.replace(self._kept)

    def first(
        self, make: Callable[[ConfigFile], T], *, replacement: bool | None = None
    ) -> tuple[T, ConfigurationError | None]:
        """What ``make`` makes of the file, or of the copy if this is a worker under a supervisor, which has checked the file
        before the first worker started; and what was wrong with the file then. Raises ConfigurationError."""
        if replacement is None:
            replacement = multiprocessing.parent_process() is not None
        try:
            made = make(self.read())
        except ConfigurationError as error:
            if not replacement or self.path is None or not self._kept.is_file():
                raise
            made = make(parse_config(read_text(self._kept), self._kept.name, self._shipped))
            logger.error(  # noqa: TRY400 - a mistake in a file has no use for our stack
                "configuration rejected, the one before stays in force", extra={"reason": str(error)}
            )
            return made, error
        self.in_force()
        return made, None
