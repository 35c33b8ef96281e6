"""Bodies that the gateway once got wrong, one file each: ``{"path": …, "body": …}``, the body as latin-1 text of its bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson

from tests.fuzz.client import Posted

_FOLDER = Path(__file__).parent


def _read(file: Path) -> Posted:
    kept = orjson.loads(file.read_bytes())
    return Posted(kept["path"], kept["body"].encode("latin-1"))


REGRESSIONS = [_read(file) for file in sorted(_FOLDER.glob("*.json"))]


def keep(posted: Posted) -> str:
    """Writes it down; returns the file's name."""
    kept = orjson.dumps({"path": posted.path, "body": posted.body.decode("latin-1")}, option=orjson.OPT_INDENT_2)
    name = f"{posted.path.rpartition('/')[2]}-{hashlib.sha256(posted.body).hexdigest()[:12]}.json"
    (_FOLDER / name).write_bytes(kept + b"\n")
    return name
