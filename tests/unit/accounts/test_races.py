"""Several processes that start at once, as workers do."""

from __future__ import annotations

import asyncio
import os
import sys

from gatewayz.accounts.keys.keys import Keys
from gatewayz.config import Settings
from gatewayz.storage.database import Database

PROCESSES = 4

START = """
import asyncio, sys
from pathlib import Path
from gatewayz.accounts.keys.commands import ensure_first_key
from gatewayz.config import load_settings

settings = load_settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[2])
sys.stdin.read()  # all go when the test closes their inputs
print(asyncio.run(ensure_first_key(settings)) or "")
"""


async def test_processes_that_start_at_once_make_one_schema_one_pepper_and_one_key(settings: Settings) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", START, str(settings.storage.data_dir), settings.storage.database),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if not name.startswith("GATEWAYZ_")},
        )
        for _ in range(PROCESSES)
    ]
    try:
        async with asyncio.timeout(60):
            ended = await asyncio.gather(*(process.communicate(b"") for process in processes))
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert [(process.returncode, stderr.decode()) for process, (_, stderr) in zip(processes, ended, strict=True)] == [
        (0, "")
    ] * PROCESSES
    printed = [stdout.decode().strip() for stdout, _ in ended]
    assert len([credential for credential in printed if credential]) == 1

    database = await Database.open(settings.storage.database)
    keys = await Keys.open(database, settings)
    try:
        assert (await keys.authenticate(max(printed))).name == "first key"
        assert await keys.count_active() == 1
    finally:
        await keys.close()
        await database.close()
