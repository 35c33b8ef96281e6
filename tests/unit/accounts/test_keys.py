"""Keys over a real database: made, recognised, refused, revoked, and never told."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from gatewayz.accounts.keys import commands
from gatewayz.accounts.keys.keys import Keys
from gatewayz.accounts.keys.tables import api_keys
from gatewayz.config import Settings, load_settings
from gatewayz.errors import ConfigurationError, InvalidRequest, NotFound, Unauthenticated
from gatewayz.records import KeyIdentity
from gatewayz.storage.database import Database
from tests.polling import until


def with_accounts(settings: Settings, **members: object) -> Settings:
    """The same settings but for these members of ``settings.accounts``."""
    return settings.model_copy(update={"accounts": settings.accounts.model_copy(update=members)})


def other_secret(credential: str) -> str:
    """The same id with a secret that is wrong in its last letter only."""
    return credential[:-1] + ("a" if credential[-1] != "a" else "b")


async def test_key_is_recognised_by_the_database_and_then_from_memory(keys: Keys) -> None:
    identity, credential = await keys.create("laptop", customer_id="acme")
    assert keys.cached(credential) is None
    assert await keys.authenticate(credential) == identity == KeyIdentity(identity.key_id, "laptop", "acme", "continue")
    assert keys.cached(credential) == identity
    assert keys.cached(credential) == identity


async def test_key_may_have_a_trace_rule_of_its_own(database: Database, settings: Settings) -> None:
    keys = await Keys.open(database, with_accounts(settings, incoming_trace="link"))
    try:
        _, plain = await keys.create("as the setting says")
        _, own = await keys.create("its own", incoming_trace="ignore")
        assert (await keys.authenticate(plain)).incoming_trace == "link"
        assert (await keys.authenticate(own)).incoming_trace == "ignore"
    finally:
        await keys.close()


async def test_key_is_for_inference_only_unless_created_with_other_scopes(
    database: Database, settings: Settings
) -> None:
    keys = await Keys.open(database, settings)
    try:
        _, plain = await keys.create("plain")
        _, admin = await keys.create("admin", scopes=("admin:read", "admin:write"))
        assert (await keys.authenticate(plain)).scopes == ("inference",)
        assert (await keys.authenticate(admin)).scopes == ("admin:read", "admin:write")
        assert [record.scopes for record in await keys.list()] == [("inference",), ("admin:read", "admin:write")]
    finally:
        await keys.close()


@pytest.mark.parametrize(
    ("stored", "scopes"),
    [(None, ("inference",)), ("inference", ("inference",)), ("", ()), ("future admin:read", ("admin:read",))],
)
async def test_stored_scopes_of_older_and_newer_versions_are_understood(
    keys: Keys, database: Database, stored: str | None, scopes: tuple[str, ...]
) -> None:
    _, credential = await keys.create("a key")
    async with database.write() as connection:
        await connection.execute(update(api_keys).values(scopes=stored))
    assert (await keys.authenticate(credential)).scopes == scopes


async def test_missing_key_is_refused(keys: Keys) -> None:
    assert keys.cached(None) is None
    with pytest.raises(Unauthenticated, match="Authorization: Bearer") as caught:
        await keys.authenticate(None)
    assert (caught.value.status, caught.value.code) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    "value", ["sk-canary-of-another-gateway", "gz_short_canary", "canary" * 100_000, "' OR 1=1 --"]
)
async def test_what_is_no_key_is_refused_without_a_query_and_not_repeated(settings: Settings, value: str) -> None:
    queries: list[str] = []
    database = await Database.open(settings.storage.database, lambda _system, operation, _s: queries.append(operation))
    try:
        await database.migrate()
        keys = await Keys.open(database, settings)
        queries.clear()
        with pytest.raises(Unauthenticated) as caught:
            await keys.authenticate(value)
        assert value not in caught.value.message
        assert queries == []
        await keys.close()
    finally:
        await database.close()


async def test_unknown_id_and_wrong_secret_are_refused_alike(keys: Keys) -> None:
    identity, credential = await keys.create("laptop")
    await keys.authenticate(credential)
    wrong = other_secret(credential)
    unknown = credential.replace(identity.key_id, "A" * 12)
    messages: list[str] = []
    for refused in (wrong, unknown, wrong):
        assert keys.cached(refused) is None
        with pytest.raises(Unauthenticated) as caught:
            await keys.authenticate(refused)
        messages.append(re.sub("gz_[0-9A-Za-z]{12}_", "gz_ID_", caught.value.message))
        assert refused not in caught.value.message
    assert len(set(messages)) == 1


async def test_same_wrong_key_again_costs_no_query(settings: Settings) -> None:
    queries: list[str] = []
    database = await Database.open(settings.storage.database, lambda _system, operation, _s: queries.append(operation))
    try:
        await database.migrate()
        keys = await Keys.open(database, settings)
        _, credential = await keys.create("laptop")
        queries.clear()
        for _ in range(3):
            with pytest.raises(Unauthenticated):
                await keys.authenticate(other_secret(credential))
        assert queries == ["SELECT"]
        await keys.close()
    finally:
        await database.close()


async def test_concurrent_lookups_of_one_key_share_one_query(settings: Settings) -> None:
    queries: list[str] = []
    database = await Database.open(settings.storage.database, lambda _system, operation, _s: queries.append(operation))
    try:
        await database.migrate()
        keys = await Keys.open(database, settings)
        identity, credential = await keys.create("laptop")
        queries.clear()
        impatient = asyncio.create_task(keys.authenticate(credential))
        await asyncio.sleep(0)
        waiters = [asyncio.create_task(keys.authenticate(credential)) for _ in range(50)]
        await asyncio.sleep(0)
        impatient.cancel()  # whoever leaves takes nothing from the others
        assert await asyncio.gather(*waiters) == [identity] * 50
        assert queries == ["SELECT"]
        assert impatient.cancelled() or impatient.cancelling()
        await keys.close()
    finally:
        await database.close()


async def test_revoked_key_is_refused_at_once_here_and_within_the_cache_period_elsewhere(
    database: Database, settings: Settings
) -> None:
    brief = with_accounts(settings, key_cache_s=0.3)
    here, elsewhere = await Keys.open(database, brief), await Keys.open(database, brief)
    try:
        identity, credential = await here.create("laptop")
        await here.authenticate(credential)
        await elsewhere.authenticate(credential)
        revoked = await here.revoke(identity.key_id)
        assert revoked.state(datetime.now(UTC)) == "revoked"
        assert here.cached(credential) is None
        with pytest.raises(Unauthenticated, match="has been revoked"):
            await here.authenticate(credential)
        await until(lambda: elsewhere.cached(credential) is None)
        with pytest.raises(Unauthenticated, match="has been revoked"):
            await elsewhere.authenticate(credential)
    finally:
        await here.close()
        await elsewhere.close()


async def test_revoking_again_keeps_the_first_time(keys: Keys) -> None:
    identity, _ = await keys.create("laptop")
    first = await keys.revoke(identity.key_id)
    assert await keys.revoke(identity.key_id) == first


async def test_unknown_id_cannot_be_revoked_and_a_pasted_key_is_not_repeated(keys: Keys) -> None:
    _, credential = await keys.create("laptop")
    with pytest.raises(NotFound, match="AAAAAAAAAAAA"):
        await keys.revoke("A" * 12)
    with pytest.raises(NotFound) as caught:
        await keys.revoke(credential)
    assert credential not in str(caught.value)


async def test_expired_key_is_refused_even_if_it_was_good_a_moment_ago(keys: Keys) -> None:
    _, credential = await keys.create("for a moment", expires_in_s=0.3)
    await keys.authenticate(credential)
    await until(lambda: keys.cached(credential) is None)
    with pytest.raises(Unauthenticated, match="has expired"):
        await keys.authenticate(credential)


async def test_keys_are_listed_and_counted(keys: Keys) -> None:
    before = datetime.now(UTC)
    forever, _ = await keys.create("forever")
    brief, _ = await keys.create("brief", customer_id="acme", expires_in_s=3600)
    gone, _ = await keys.create("gone")
    await keys.revoke(gone.key_id)
    records = await keys.list()
    assert [(record.key_id, record.name, record.customer_id) for record in records] == [
        (forever.key_id, "forever", None),
        (brief.key_id, "brief", "acme"),
        (gone.key_id, "gone", None),
    ]
    assert [record.state(datetime.now(UTC)) for record in records] == ["active", "active", "revoked"]
    assert records[1].state(datetime.now(UTC) + timedelta(hours=1)) == "expired"
    assert before <= records[0].created_at <= datetime.now(UTC)
    assert records[1].expires_at == records[1].created_at + timedelta(hours=1)
    assert await keys.count_active() == keys.active == 2


async def test_last_use_is_written_later(database: Database, settings: Settings) -> None:
    keys = await Keys.open(database, settings)
    _, used = await keys.create("used")
    await keys.create("unused")
    before = datetime.now(UTC)
    await keys.authenticate(used)
    assert [record.last_used_at for record in await keys.list()] == [None, None]
    await keys.close()
    later = await Keys.open(database, settings)
    noted, never = [record.last_used_at for record in await later.list()]
    await later.close()
    assert noted is not None
    assert before <= noted <= datetime.now(UTC)
    assert never is None


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "two\nlines", "\x1b[31mred"])
async def test_unprintable_or_long_name_is_refused(keys: Keys, name: str) -> None:
    with pytest.raises(InvalidRequest, match="name"):
        await keys.create(name)
    with pytest.raises(InvalidRequest, match="customer id"):
        await keys.create("good", customer_id=name)


@pytest.mark.parametrize("seconds", [0, -1, 1e12, float("nan"), float("inf")])
async def test_invalid_expiry_is_refused(keys: Keys, seconds: float) -> None:
    with pytest.raises(InvalidRequest, match="expire"):
        await keys.create("good", expires_in_s=seconds)


async def test_first_key_is_made_once_and_not_again_after_its_revocation(keys: Keys) -> None:
    credential = await keys.ensure_first()
    assert credential is not None
    identity = await keys.authenticate(credential)
    assert await keys.ensure_first() is None
    await keys.revoke(identity.key_id)
    assert await keys.ensure_first() is None
    assert len(await keys.list()) == 1


async def test_changed_pepper_is_an_error_at_start_and_not_a_refusal_of_every_key(
    database: Database, settings: Settings, keys: Keys
) -> None:
    await keys.create("laptop")
    other = with_accounts(settings, key_pepper=SecretStr("a completely different pepper"))
    with pytest.raises(ConfigurationError, match="None of the API keys"):
        await Keys.open(database, other)
    (settings.storage.data_dir / "pepper").unlink()
    with pytest.raises(ConfigurationError, match="Put that file back"):
        await Keys.open(database, settings)


async def test_commands_of_the_command_line_work_on_their_own(settings: Settings) -> None:
    first = await commands.ensure_first_key(settings)
    assert first is not None
    assert await commands.ensure_first_key(settings) is None
    identity, credential = await commands.create_key(settings, "laptop", customer_id="acme", expires_in_s=60)
    assert credential.startswith(f"gz_{identity.key_id}_")
    revoked = await commands.revoke_key(settings, identity.key_id)
    assert [record.key_id for record in await commands.list_keys(settings)][1] == revoked.key_id
    with pytest.raises(NotFound):
        await commands.revoke_key(settings, "nothing")


async def test_commands_report_a_missing_database(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, database_url="postgresql://u:hunter2@127.0.0.1:1/x")
    with pytest.raises(ConfigurationError, match="does not answer") as caught:
        await commands.list_keys(settings)
    assert "hunter2" not in str(caught.value)


async def test_secret_is_neither_stored_nor_logged(
    settings: Settings, database: Database, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    keys = await Keys.open(database, settings)
    identity, credential = await keys.create("laptop")
    secret = credential.rsplit("_", 1)[1]
    await keys.authenticate(credential)
    with pytest.raises(Unauthenticated) as caught:
        await keys.authenticate(other_secret(credential))
    await keys.revoke(identity.key_id)
    told = f"{caught.value!r} {identity!r} {keys!r} {await keys.list()}"
    await keys.close()
    await database.close()
    canary = secret[:20]
    assert canary not in told
    assert canary not in "".join(str(vars(record)) for record in caplog.records)
    assert canary not in "".join(capsys.readouterr())
    files = [file for file in settings.storage.data_dir.parent.rglob("*") if file.is_file()]
    assert any(file.name == "pepper" for file in files)
    assert all(canary.encode() not in file.read_bytes() for file in files)
    # What is logged about a key is its id and its name, when it comes and when it goes.
    events = [record for record in caplog.records if record.name.startswith("gatewayz")]
    assert [(event.getMessage(), vars(event)["key_id"], vars(event)["key_name"]) for event in events] == [
        ("API key created", identity.key_id, "laptop"),
        ("API key revoked", identity.key_id, "laptop"),
    ]
