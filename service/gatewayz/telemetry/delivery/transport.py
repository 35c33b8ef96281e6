"""One request to an OTLP receiver, and what its answer means for the batch.

A transport belongs to one thread. Nothing here logs or raises: the library loggers of gRPC stay silent, and every failure
is a ``SendResult``. Which answers may be repeated is the OTLP specification's list:
https://opentelemetry.io/docs/specs/otlp/#failures.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Protocol, cast

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from gatewayz.telemetry.delivery.destination import Destination
from gatewayz.telemetry.redact import cut

_RETRYABLE = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_DOUBTFUL = frozenset({grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL})
"""What gRPC also reports when a connection breaks in the middle of a call."""

_CHANNEL_OPTIONS = (
    # A Collector that is back is found within a second, not after gRPC's default of up to two minutes …
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # … which is also the time a handshake may take.
    ("grpc.min_reconnect_backoff_ms", 5000),
    # Repeating is the exporter's business: it alone knows the batch's account.
    ("grpc.enable_retries", 0),
    # A channel made anew must not get the old one's dead connection from the process-wide pool.
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True, slots=True)
class SendResult:
    """``accepted`` (but for ``rejected`` items), ``retry`` (not before ``retry_after_s``), ``doubtful`` (retry a few
    times), or ``refused`` for good; ``reason`` is for the operator."""

    kind: Literal["accepted", "retry", "doubtful", "refused"]
    reason: str = ""
    rejected: int = 0
    retry_after_s: float | None = None


ACCEPTED = SendResult("accepted")
REASON_LIMIT = 200


class Transport(Protocol):
    def send(self, payload: bytes, timeout_s: float) -> SendResult:
        """Send an encoded request and wait for the answer at most ``timeout_s``. Never raises."""
        ...

    def abort(self) -> None:
        """End a ``send`` that another thread waits in, and whatever would follow."""
        ...

    def close(self) -> None:
        """Let go of the connection, when no thread sends any more."""
        ...


def open_transport(destination: Destination) -> Transport:
    if destination.protocol == "grpc":
        return GrpcTransport(destination)
    return HttpTransport(destination)


class GrpcTransport:
    """OTLP/gRPC with raw bytes: no message objects on the way out."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._metadata = destination.headers
        self._aborted = False
        self._connect()

    def send(self, payload: bytes, timeout_s: float) -> SendResult:
        try:
            return _accepted(self._call(payload, timeout=timeout_s, metadata=self._metadata))
        except grpc.RpcError as error:
            return self._failed(error)
        except ValueError:
            # What gRPC raises on a closed channel.
            return SendResult("retry", "closed")

    def abort(self) -> None:
        self._aborted = True
        self._channel.close()

    def close(self) -> None:
        self._channel.close()

    def _connect(self) -> None:
        to = self._destination
        compression = grpc.Compression.Gzip if to.gzip else grpc.Compression.NoCompression
        if to.secure:
            credentials = grpc.ssl_channel_credentials(
                root_certificates=to.certificate.read_bytes() if to.certificate else None,
                private_key=to.client_key.read_bytes() if to.client_key else None,
                certificate_chain=to.client_certificate.read_bytes() if to.client_certificate else None,
            )
            self._channel = grpc.secure_channel(to.address, credentials, _CHANNEL_OPTIONS, compression)
        else:
            self._channel = grpc.insecure_channel(to.address, _CHANNEL_OPTIONS, compression)
        # gRPC's stubs are untyped: a call from bytes to bytes.
        self._call = cast(
            "Any", self._channel.unary_unary(to.path, request_serializer=None, response_deserializer=None)
        )

    def _failed(self, error: grpc.RpcError) -> SendResult:
        code = cast("grpc.StatusCode", cast("Any", error).code())
        reason = f"{code.name.lower()}: {cut(cast('Any', error).details() or '', REASON_LIMIT)}"
        if code is grpc.StatusCode.DEADLINE_EXCEEDED and not self._aborted:
            # The other side may be frozen, or gone without closing the connection: do not wait for this connection again.
            self._channel.close()
            self._connect()
        if code in _RETRYABLE:
            return SendResult("retry", reason, retry_after_s=_retry_info(error))
        if code in _DOUBTFUL:
            return SendResult("doubtful", reason)
        return SendResult("refused", reason)


class HttpTransport:
    """OTLP over HTTP/1.1 with protobuf bodies, on one kept connection."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._headers = {
            "content-type": "application/x-protobuf",
            "user-agent": "gatewayz",
            **dict(destination.headers),
        }
        if destination.gzip:
            self._headers["content-encoding"] = "gzip"
        self._context: ssl.SSLContext | None = None
        if destination.secure:
            self._context = ssl.create_default_context(
                cafile=str(destination.certificate) if destination.certificate else None
            )
            if destination.client_certificate:
                key = str(destination.client_key) if destination.client_key else None
                self._context.load_cert_chain(str(destination.client_certificate), key)
        self._connection: http.client.HTTPConnection | None = None
        self._aborted = False

    def send(self, payload: bytes, timeout_s: float) -> SendResult:
        if self._destination.gzip:
            payload = gzip.compress(payload, compresslevel=1)
        reused = self._connection is not None
        answer = self._try(payload, timeout_s)
        if answer is None and reused:
            # A kept connection that the other side has closed meanwhile proves nothing about the receiver.
            answer = self._try(payload, timeout_s)
        return answer or SendResult("retry", "connection_error")

    def abort(self) -> None:
        self._aborted = True
        connection = self._connection
        sock = cast("socket.socket | None", connection.sock) if connection is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):  # already gone
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._drop()

    def _try(self, payload: bytes, timeout_s: float) -> SendResult | None:
        if self._aborted:
            return SendResult("retry", "closed")
        try:
            connection = self._connect(timeout_s)
            connection.request("POST", self._destination.path, body=payload, headers=self._headers)
            response = connection.getresponse()
            body = response.read(1 << 20)
            if not response.isclosed() or response.will_close:
                self._drop()
        except TimeoutError:
            self._drop()
            return SendResult("retry", "timeout")
        except (OSError, http.client.HTTPException):
            self._drop()
            return None
        match response.status:
            case 200 | 202 | 204:
                return _accepted(body)
            case 429 | 502 | 503 | 504:
                return SendResult(
                    "retry", str(response.status), retry_after_s=retry_after(response.headers["retry-after"])
                )
            case status:
                return SendResult("refused", str(status))

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        connection = self._connection
        if connection is None:
            to = self._destination
            if self._context is not None:
                connection = http.client.HTTPSConnection(to.host, to.port, timeout=timeout_s, context=self._context)
            else:
                connection = http.client.HTTPConnection(to.host, to.port, timeout=timeout_s)
            self._connection = connection
        connection.timeout = timeout_s
        sock = cast("socket.socket | None", connection.sock)
        if sock is not None:
            sock.settimeout(timeout_s)
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def retry_after(text: str | None) -> float | None:
    """The seconds that a Retry-After header asks for, at most five minutes; None if there is none that can be read."""
    if not text:
        return None
    text = text.strip()
    try:
        seconds = float(text) if text.isdecimal() else (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), 300.0)


def _accepted(response: bytes) -> SendResult:
    """A success, which may yet refuse some items. Logs and metrics number the fields as traces do."""
    if not response:
        return ACCEPTED
    try:
        partial = ExportTraceServiceResponse.FromString(response).partial_success
        return SendResult("accepted", cut(partial.error_message, REASON_LIMIT), partial.rejected_spans)
    except Exception:  # noqa: BLE001 - an unreadable body of a successful answer changes nothing
        return ACCEPTED


def _retry_info(error: grpc.RpcError) -> float | None:
    """The delay that the receiver asks for in google.rpc.RetryInfo, at most five minutes."""
    trailers = cast("tuple[tuple[str, bytes], ...] | None", cast("Any", error).trailing_metadata())
    for key, value in trailers or ():
        if key == "grpc-status-details-bin":
            try:
                for detail in Status.FromString(value).details:
                    info = RetryInfo()
                    if detail.Unpack(info):
                        return min(info.retry_delay.seconds + info.retry_delay.nanos / 1e9, 300.0)
            except Exception:  # noqa: BLE001 - advice that cannot be read is no advice
                return None
    return None
