"""Providers without a valid certificate: no request goes to them, least of all in the clear."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.faults.stage import FALLBACK, Stage, staged_with
from tests.fakes.provider.server import FakeLLM

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
"""Made in a moment, which RSA's are not."""
AUTHORITY = """
[ca]
default_ca = ours
[ours]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


@dataclass(frozen=True, slots=True)
class Authority:
    """Makes certificates that the gateway would trust. In a directory of its own, with the openssl command."""

    directory: Path

    @property
    def file(self) -> Path:
        return self.directory / "authority.pem"

    def found(self) -> Authority:
        (self.directory / "openssl.cnf").write_text(AUTHORITY)
        (self.directory / "index.txt").touch()
        self._openssl("req", "-x509", *NEW_KEY, "-keyout", "authority.key", "-out",
                      "authority.pem", "-days", "1", "-subj", "/CN=Tests")  # fmt: skip
        return self

    def server(
        self, name: str, *, host: str = "IP:127.0.0.1", expired: bool = False, own: bool = False
    ) -> ssl.SSLContext:
        """A server's side of TLS; ``own``: signed by itself."""
        key, certificate = f"{name}.key", f"{name}.pem"
        subject = [
            *NEW_KEY,
            "-keyout",
            key,
            "-subj",
            f"/CN={name}",
            "-addext",
            f"subjectAltName={host}",
        ]
        if own:
            self._openssl("req", "-x509", "-days", "1", "-out", certificate, *subject)
        else:
            self._openssl("req", "-new", "-out", f"{name}.csr", *subject)
            dates = ("20200101000000Z", "20200102000000Z") if expired else ("20200101000000Z", "20990101000000Z")
            self._openssl("ca", "-batch", "-config", "openssl.cnf", "-notext", "-in", f"{name}.csr", "-out", certificate,
                          "-cert", "authority.pem", "-keyfile", "authority.key",
                          "-startdate", dates[0], "-enddate", dates[1])  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.directory / certificate, self.directory / key)
        return context

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    directory = tmp_path_factory.mktemp("certificates")
    authority = Authority(directory).found()
    servers = {
        "openai": authority.server("good"),
        "deepseek": authority.server("late", expired=True),
        "mistral": authority.server("elsewhere", host="DNS:api.example.com"),
        "together": authority.server("own", own=True),
    }
    with ExitStack() as stack:
        fakes = {name: stack.enter_context(FakeLLM.in_thread(tls=tls)) for name, tls in servers.items()}
        fakes |= {name: stack.enter_context(FakeLLM.in_thread()) for name in ("groq", "xai")}
        more = {
            "SSL_CERT_FILE": str(authority.file),
            "XAI_BASE_URL": f"https://127.0.0.1:{fakes['xai'].port}/v1",  # where nobody speaks TLS
            "GATEWAYZ_CONNECT_TIMEOUT_S": "5",
            "GATEWAYZ_FIRST_CHUNK_TIMEOUT_S": "5",
            "GATEWAYZ_FIRST_BYTE_TIMEOUT_S": "5",
        }
        yield stack.enter_context(staged_with(directory / "gateway", fakes, **more))


def test_valid_certificate_is_accepted(secure: Stage) -> None:
    reply = secure.ask("openai/ok")

    assert (reply.status, reply.provider) == (200, "openai")


@BOTH
@pytest.mark.parametrize(
    ("provider", "reason"),
    [
        pytest.param("deepseek", "expired", id="expired"),
        pytest.param("mistral", "IP address mismatch", id="wrong-host"),
        pytest.param("together", "self-signed", id="self-signed"),
        pytest.param("xai", "TLS", id="plain-text"),
    ],
)
def test_invalid_certificate_falls_back_and_no_request_is_sent(
    secure: Stage, provider: str, reason: str, stream: bool
) -> None:
    alone = secure.ask(f"{provider}/{secure.fresh('ok')}", stream=stream)
    assert (alone.status, alone.error["code"]) == (502, "provider_connection_error")
    assert reason in alone.error["message"]

    reply = secure.ask(f"{provider}/{secure.fresh('ok')}", models=FALLBACK, stream=stream)
    assert (reply.status, reply.provider) == (200, "groq")
    *failed, answered = secure.tried(reply)
    assert {(who, error) for who, _, error in failed} == {(provider, "provider_connection_error")}
    assert answered == ("groq", "fallback", None)
    assert secure.fakes[provider].requests == []
