"""Settings: from the environment, in sections, with options on top; and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewayz.config import VARIABLES, ConfigurationError, RetryPolicy, Settings, load_settings, settings_of


def test_variable_sets_the_member_of_its_section(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAYZ_PORT", "8123")
    monkeypatch.setenv("GATEWAYZ_BREAKER_FAILURES", "7")
    monkeypatch.setenv("GATEWAYZ_RETRY_BUDGET", "0.5")
    monkeypatch.setenv("GATEWAYZ_ORPHANED_CALL_S", "0")
    monkeypatch.setenv("GATEWAYZ_STACK_TRACES", "tempo")
    settings = load_settings()
    assert settings.server.port == 8123
    assert settings.routing.breaker.consecutive_failures == 7
    assert settings.routing.retry.budget_share == 0.5
    assert settings.orphans.wait_s == 0
    assert settings.stack.traces == "tempo"


def test_members_of_one_section_may_come_from_options_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAYZ_PORT", "8123")
    monkeypatch.setenv("GATEWAYZ_HOST", "0.0.0.0")
    settings = load_settings(port=8124, workers=None, data_dir=Path("elsewhere"), stack_logs="loki")
    assert (settings.server.host, settings.server.port, settings.server.workers) == ("0.0.0.0", 8124, 1)
    assert (settings.storage.data_dir, settings.stack.logs) == (Path("elsewhere"), "loki")


def test_case_of_a_variable_does_not_matter_and_other_variables_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("gatewayz_port", "8123")
    monkeypatch.setenv("GATEWAYZ_API_KEY", "for the tools")
    monkeypatch.setenv("GATEWAYZ_NO_SUCH_THING", "1")
    assert load_settings().server.port == 8123


def test_every_wrong_value_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAYZ_PORT", "many")
    monkeypatch.setenv("GATEWAYZ_MAX_RETRY_WAIT_S", "61")
    monkeypatch.setenv("GATEWAYZ_LOG_LEVEL", "loud")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(stack_log_retention="3h")
    lines = str(caught.value).splitlines()
    named = ["GATEWAYZ_PORT", "GATEWAYZ_MAX_RETRY_WAIT_S", "GATEWAYZ_LOG_LEVEL", "GATEWAYZ_STACK_LOG_RETENTION"]
    assert [line.partition(":")[0] for line in lines] == named
    assert "(given: 'many')" in lines[0]


@pytest.mark.parametrize("variable", ["GATEWAYZ_KEY_PEPPER", "GATEWAYZ_METRICS_TOKEN"])
def test_secret_is_in_no_representation(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "canary")
    assert "canary" not in repr(load_settings())


def test_option_that_is_no_setting_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError, match="GATEWAYZ_COLOUR"):
        load_settings(colour="red")


def test_every_setting_has_one_variable_and_a_description() -> None:
    found = [(variable, field.description) for variable, _, field in settings_of(Settings)]
    assert len({variable for variable, _ in found}) == len(found) == len(VARIABLES)
    assert all(description for _, description in found)


def test_member_without_a_description_is_not_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAYZ_RETRY_BACKOFF_S", "99")
    assert load_settings().routing.retry == RetryPolicy()


def test_database_is_a_file_in_the_data_directory_unless_set(tmp_path: Path) -> None:
    storage = load_settings(data_dir=tmp_path).storage
    assert storage.sqlite_file == tmp_path / "gatewayz.db"
    assert storage.database == f"sqlite+aiosqlite:///{tmp_path}/gatewayz.db"
    other = load_settings(database_url="postgresql+asyncpg://db/gatewayz").storage
    assert (other.sqlite_file, other.database) == (None, "postgresql+asyncpg://db/gatewayz")
