"""Redis, which workers share when it is configured. Every command has a time limit: nothing waits for a Redis that is down."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatewayz.errors import ConfigurationError, Unavailable

# A Redis nearby answers within a millisecond; one that has not after this is taken to be down.
_TIMEOUT_S = 1.0


class CacheUnavailable(Unavailable):
    """Redis did not answer. ``reason`` is for logs and operators."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "The gateway cannot reach its cache at the moment. Try again shortly.", code="cache_unavailable"
        )
        self.reason = reason


class Cache:
    """An open client, which connects when it is first used."""

    def __init__(self, client: Redis) -> None:
        """Use ``Cache.open``."""
        self._client = client

    @classmethod
    def open(cls, url: str) -> Cache:
        """Raises ConfigurationError for an address that is not one; makes no connection."""
        try:
            # redis-py leaves its keyword arguments untyped, here and in ping().
            client = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
                url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S
            )
        except ValueError:
            # The address may hold a password, so it is not repeated.
            raise ConfigurationError(
                "GATEWAYZ_REDIS_URL is not a Redis address; it looks like redis://host:6379/0."
            ) from None
        return cls(client)

    @property
    def client(self) -> Redis:
        """To be instrumented; commands go through the methods here."""
        return self._client

    async def close(self) -> None:
        await self._client.aclose()

    async def ping(self) -> None:
        """Raises CacheUnavailable unless Redis answers."""
        try:
            await self._client.ping()  # pyright: ignore[reportUnknownMemberType]
        except (RedisError, OSError) as error:
            raise CacheUnavailable(f"{type(error).__name__}: {error}"[:200]) from error
