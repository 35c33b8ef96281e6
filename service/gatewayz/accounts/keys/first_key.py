"""The text that shows the first key, the only time that it is shown."""

from __future__ import annotations

from gatewayz.config import Settings


def first_key_notice(credential: str, settings: Settings) -> str:
    """The first key with a request to paste; it is not shown again."""
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104 - compared, not bound
    return (
        f"Your first API key (shown this once; more with `gatewayz keys create NAME`):\n\n"
        f"  {credential}\n\n"
        f"Try it:\n\n"
        f"  curl http://{host}:{settings.port}/v1/chat/completions \\\n"
        f"    -H 'Authorization: Bearer {credential}' -H 'Content-Type: application/json' \\\n"
        f"""    -d '{{"model": "demo/fast", "messages": [{{"role": "user", "content": "Hello"}}]}}'\n"""
    )
