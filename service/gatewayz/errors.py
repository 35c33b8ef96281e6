"""Every way in which a request can fail, and whose fault it is.

    GatewayError
    ├── CallerError                     the request cannot be served as it was sent
    │   ├── InvalidRequest              400
    │   ├── Unauthenticated             401
    │   ├── Forbidden                   403
    │   ├── NotFound                    404
    │   ├── MethodNotAllowed            405
    │   ├── RequestTimeout              408
    │   ├── PayloadTooLarge             413
    │   ├── UnsupportedMediaType        415
    │   ├── HeadersTooLarge             431
    │   └── CallerCancelled             499   the caller disconnected; nobody reads this answer
    ├── ProviderError                   the provider failed; another one may not
    │   ├── ProviderConnectTimeout      504
    │   ├── ProviderFirstChunkTimeout   504
    │   ├── ProviderIdleTimeout         504
    │   ├── ProviderConnectionFailed    502
    │   ├── ProviderRateLimited         429
    │   ├── ProviderOverloaded          503
    │   ├── ProviderAuthFailed          502   our key was rejected: never the caller's 401
    │   ├── ProviderBadRequest          4xx   as the provider answered
    │   ├── ProviderServerError         502
    │   ├── ProviderStreamCut           502
    │   └── ProviderMalformedResponse   502
    └── GatewayFault                    ours
        ├── Overloaded                  503
        ├── NoCandidate                 503
        ├── Unavailable                 503   a dependency that is needed is down
        └── Internal                    500

    ConfigurationError                  bad settings or files; raised before anything listens

``error_type`` is what telemetry records (the closed list of records.ErrorType); ``status``, ``kind``, ``code`` and ``param``
are what the caller reads, in the error format of the caller's wire. ``message`` is for the caller and never holds a secret.

An error is complete when it is raised. Code that knows more about it makes another one (``GatewayError.replaced``).
"""

from __future__ import annotations

from math import ceil
from typing import Any, ClassVar, Self

from gatewayz.config import ConfigurationError as ConfigurationError
from gatewayz.records import ErrorType


class GatewayError(Exception):
    """A request failed in a way that has a name.

    ``retry_after_s``: when it may be worth trying again. ``provider``: which provider failed, where one did. ``headers``: of a
    provider's error answer, the headers that the caller may see (rate limits, the provider's id of the request).
    """

    status: int = 500
    error_type: ErrorType = "_OTHER"
    kind: ClassVar[str] = "server_error"
    """The ``type`` member of OpenAI's error object."""
    code: str | None = None
    """The ``code`` member of OpenAI's error object."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
        provider: str | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        self.provider = provider
        self.headers = headers
        if code is not None:
            self.code = code

    def replaced(self, **changes: Any) -> Self:  # Any: values of the attributes that are named
        """The same error with some attributes changed, without traceback, cause and context."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__ | changes)
        made.args = (made.message,)
        return made

    def retry_after(self) -> str | None:
        """The value of a ``Retry-After`` header: whole seconds, rounded up, since a client that comes back a fraction early is
        refused again. None where there is nothing to say."""
        return None if self.retry_after_s is None else str(ceil(self.retry_after_s))


class CallerError(GatewayError):
    status = 400
    error_type: ErrorType = "caller_invalid_request"
    kind = "invalid_request_error"


class InvalidRequest(CallerError):
    pass


class Unauthenticated(CallerError):
    status = 401
    error_type = "caller_unauthenticated"
    kind = "authentication_error"
    code = "invalid_api_key"


class Forbidden(CallerError):
    status = 403
    error_type = "caller_forbidden"
    kind = "permission_error"


class NotFound(CallerError):
    status = 404
    error_type = "caller_not_found"
    code = "not_found"


class MethodNotAllowed(CallerError):
    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, *, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed


class RequestTimeout(CallerError):
    status = 408
    code = "request_timeout"


class PayloadTooLarge(CallerError):
    status = 413
    error_type = "caller_payload_too_large"
    code = "payload_too_large"


class UnsupportedMediaType(CallerError):
    status = 415
    code = "unsupported_media_type"


class HeadersTooLarge(CallerError):
    status = 431
    error_type = "caller_payload_too_large"
    code = "headers_too_large"


class CallerCancelled(CallerError):
    status = 499
    error_type = "caller_cancelled"
    code = "caller_cancelled"


class ProviderError(GatewayError):
    """``upstream_status``: the provider's own status, where it answered. ``body``: the provider's own error object, where the
    caller may get it as it is. ``repeatable``: False where the provider has said that repeating the request is of no use."""

    status = 502
    error_type: ErrorType = "provider_server_error"
    kind = "provider_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
        provider: str | None = None,
        upstream_status: int | None = None,
        body: bytes | None = None,
        repeatable: bool = True,
    ) -> None:
        super().__init__(
            message, code=code or self.error_type, param=param, retry_after_s=retry_after_s, provider=provider
        )
        self.upstream_status = upstream_status
        self.body = body
        self.repeatable = repeatable


class ProviderConnectTimeout(ProviderError):
    status = 504
    error_type = "provider_connect_timeout"


class ProviderFirstChunkTimeout(ProviderError):
    status = 504
    error_type = "provider_first_chunk_timeout"


class ProviderIdleTimeout(ProviderError):
    status = 504
    error_type = "provider_idle_timeout"


class ProviderConnectionFailed(ProviderError):
    error_type = "provider_connection_error"


class ProviderRateLimited(ProviderError):
    status = 429
    error_type = "provider_rate_limited"


class ProviderOverloaded(ProviderError):
    status = 503
    error_type = "provider_overloaded"


class ProviderAuthFailed(ProviderError):
    error_type = "provider_auth_error"


class ProviderBadRequest(ProviderError):
    """The provider rejected the request itself. The caller gets its status, since no other attempt would change it."""

    status = 400
    error_type = "provider_bad_request"

    def __init__(
        self,
        message: str,
        *,
        upstream_status: int,
        body: bytes | None = None,
        code: str | None = None,
        repeatable: bool = True,
    ) -> None:
        super().__init__(message, upstream_status=upstream_status, body=body, code=code, repeatable=repeatable)
        self.status = upstream_status


class ProviderServerError(ProviderError):
    pass


class ProviderStreamCut(ProviderError):
    error_type = "provider_stream_cut"


class ProviderMalformedResponse(ProviderError):
    error_type = "provider_malformed_response"


class GatewayFault(GatewayError):
    error_type: ErrorType = "gateway_internal"
    kind = "gateway_error"


class Overloaded(GatewayFault):
    status = 503
    error_type = "gateway_overloaded"
    code = "gateway_overloaded"


class NoCandidate(GatewayFault):
    status = 503
    error_type = "gateway_no_candidate"
    code = "no_candidate"


class Unavailable(GatewayFault):
    status = 503
    code = "dependency_unavailable"


class Internal(GatewayFault):
    code = "internal_error"
