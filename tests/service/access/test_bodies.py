"""Bodies too long and too slow; a real server, and clients that do not mean well."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import httpx
import pytest
import uvicorn
from starlette.responses import StreamingResponse

from atypia.service.access import patience, server_options
from atypia.service.access import tokens as of_tokens
from atypia.service.access.bodies import Body, BodyRefused
from atypia.service.access.settings import AccessSettings
from atypia.service.settings import Limits

JOBS, REVIEW = "/api/v1/jobs", "/api/v1/findings/" + "ab" * 16 + "/review"


@pytest.fixture
def running(served, settings):
    """`running(**access)` runs the app on a free port of loopback; gives that port."""

    @contextmanager
    def run(app=None, **access) -> Iterator[int]:
        app = app or served(**access).app
        given = replace(settings, access=AccessSettings(**access))
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            config = uvicorn.Config(app, log_config=None, lifespan="off", **server_options(given))
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
            thread.start()
            deadline = time.monotonic() + 10
            while not server.started and time.monotonic() < deadline:
                time.sleep(0.01)
            try:
                yield listening.getsockname()[1]
            finally:
                server.should_exit = True
                thread.join(10)
                assert not thread.is_alive()

    return run


def say(port: int, data: bytes, seconds: float = 5.0) -> bytes:
    """Send bytes, then read until the server closes or `seconds` are over."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(data)
        heard = b""
        try:
            while chunk := connection.recv(65536):
                heard += chunk
        except TimeoutError:
            heard += b"<still open>"
        return heard


def head(path: str, *more: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *more, "", ""]).encode("latin-1")


def test_a_body_has_a_limit_whether_it_says_its_length_or_not(served):
    client = served(json_bytes=1000)
    for content in (b"a" * 1001, iter([b"a" * 600, b"a" * 600])):
        answer = client.put(REVIEW, content=content, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["title"]) == (413, "Too much")
    assert client.post(JOBS, content=b"a" * 5000).json() == {"bytes": 5000}


def test_uploads_have_a_limit_of_their_own(settings):
    small = replace(settings, limits=Limits(upload_bytes=2000), access=AccessSettings(json_bytes=1000))
    body = Body(_messages([b"a" * 2000, b"a" * 1001]), small, small.limits.upload_bytes + 1000)
    with pytest.raises(BodyRefused):
        asyncio.run(_all(body))
    assert body.refused.status == 413
    fine = Body(_messages([b"a" * 2000, b"a" * 1000]), small, small.limits.upload_bytes + 1000)
    assert asyncio.run(_all(fine)) == 3000


def _messages(chunks):
    left = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks) - 1}
        for number, chunk in enumerate(chunks)
    ]

    async def receive():
        return left.pop(0)

    return receive


async def _all(body) -> int:
    size, more = 0, True
    while more:
        message = await body()
        size, more = size + len(message["body"]), message["more_body"]
    return size


@pytest.mark.parametrize("length", ["-1", "1e3", "abc", "9" * 30, "+1", "\xb2"])
def test_lengths_that_are_none(served, length):
    answer = served().put(REVIEW, headers={"Content-Length": length.encode("latin-1")})
    assert answer.status_code in (400, 413)


def test_a_server_answers(running):
    with running() as port:
        answer = httpx.post(f"http://127.0.0.1:{port}{JOBS}", content=b"a" * 300_000, trust_env=False)
        assert answer.json() == {"bytes": 300_000}
        assert "server" not in answer.headers


def test_headers_that_dribble_hold_no_connection(running):
    with running(header_seconds=0.3) as port:
        begun = time.monotonic()
        assert say(port, b"GET / HTTP/1.1\r\nHost: 127") == b""
        assert say(port, b"") == b""
        assert time.monotonic() - begun < 3
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(head("/healthz", method="GET"))
            heard = b""
            while not heard.endswith(b'{"ok":true}'):
                heard += connection.recv(65536)
            connection.sendall(b"GET / HT")
            assert connection.recv(65536) == b""


def test_a_client_that_reads_nothing_is_left(monkeypatch):
    from atypia.service.access.patience import PatientProtocol, patient

    monkeypatch.setattr(PatientProtocol, "unread_seconds", 0.3)
    ended = threading.Event()

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(2000):
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
        ended.set()

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", http=patient(5.0)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            with socket.create_connection(listening.getsockname(), timeout=10) as connection:
                connection.sendall(head("/", method="GET"))
                assert ended.wait(10)
        finally:
            server.should_exit = True
            thread.join(10)


def test_a_body_that_dribbles_is_given_up(running):
    with running(body_seconds=0.3) as port:
        heard = say(port, head(JOBS, "Content-Length: 100") + b"some")
        assert heard.startswith(b"HTTP/1.1 408")
        assert b"<still open>" not in heard
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).is_success


def test_a_body_too_slow_on_average_is_given_up(settings, monkeypatch):
    monkeypatch.setattr("atypia.service.access.bodies.GRACE", 0.05)

    async def receive():
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b"a", "more_body": True}

    body = Body(receive, settings, 10**6)
    with pytest.raises(BodyRefused):
        asyncio.run(_all(body))
    assert body.refused.status == 408


def test_events_may_wait_for_ever_once_the_body_is_whole(settings):
    """To wait for a client to leave is not to wait for a body."""

    async def wait() -> None:
        quick = replace(settings, access=AccessSettings(body_seconds=0.05))
        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive():
            if messages:
                return messages.pop()
            await asyncio.sleep(0.2)
            return {"type": "http.disconnect"}

        body = Body(receive, quick, 10)
        await body()
        assert (await body())["type"] == "http.disconnect"

    asyncio.run(wait())


SMUGGLED = [
    (head(JOBS, "Content-Length: 3", "Content-Length: 3") + b"abc", b"202"),  # one length, said twice
    (head(JOBS, "Content-Length: 3", "Content-Length: 4") + b"abc", b"400"),
    (head(JOBS, "Content-Length: 3", "Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n", b"400"),
    (head(JOBS, "Transfer-Encoding: chunked, identity") + b"0\r\n\r\n", b"400"),
    (head(JOBS, "Transfer-Encoding : chunked") + b"0\r\n\r\n", b"400"),
    (head("/", "X-A: a\x00b", method="GET"), b"400"),
    (head("/", "Host: evil.example", method="GET"), b"400"),
    (b"GET / HTTP/1.1\r\n\r\n", b"400"),
    (b"GET / HTTP/1.0\r\n\r\n", b"421"),
    (b"GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"4"),
    (head("/%0d%0aSet-Cookie:%20x=1", method="GET"), b"400"),
    (head("/", "X: " + "a" * 40_000, method="GET"), b"431"),
]


def test_smuggling(running):
    with running(header_seconds=0.5, body_seconds=0.5) as port:
        for request, status in SMUGGLED:
            heard = say(port, request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1), 2.0)
            assert heard.startswith(b"HTTP/1.1 " + status), (request, heard[:200])
            assert b"set-cookie" not in heard.lower()


def test_so_many_uploads_at_once(running):
    with running(concurrent_uploads=1, upload_wait_seconds=0.1) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as first:
            first.sendall(head(JOBS, "Content-Length: 10") + b"abc")
            time.sleep(0.3)
            second = httpx.post(f"http://127.0.0.1:{port}{JOBS}", content=b"abc", trust_env=False)
            assert second.status_code == 429
            assert second.headers["Retry-After"] == "1"
            first.sendall(b"defghij")
            assert first.recv(4096).startswith(b"HTTP/1.1 202")
        time.sleep(0.05)
        assert (
            httpx.post(f"http://127.0.0.1:{port}{JOBS}", content=b"abc", trust_env=False).status_code == 202
        )


def test_a_stream_ends_when_its_listener_is_revoked(running, token, store, monkeypatch):
    monkeypatch.setattr("atypia.service.access.guard.RECHECK", 0.1)
    headers = {"Authorization": f"Bearer {token('viewer', name='gone')}"}
    with (
        running() as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as client,
        client.stream("GET", "/api/v1/events") as answer,
    ):
        lines = answer.iter_lines()
        assert [next(lines) for _ in range(20)].count(": beat") == 10
        with store.write() as session:
            of_tokens.revoke(session, "gone")
        assert len(list(lines)) < 40


def test_so_many_streams_at_once(running):
    with running(concurrent_streams=1) as port, httpx.Client(trust_env=False) as client:
        address = f"http://127.0.0.1:{port}/api/v1/events"
        with client.stream("GET", address) as first:
            lines = first.iter_lines()
            assert next(lines) == ": beat"
            assert httpx.get(address, trust_env=False).status_code == 429
            assert next(lines) == ""


def test_websockets_are_not_spoken(running):
    upgrade = head(
        "/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", method="GET"
    )
    with running(header_seconds=0.5) as port:
        assert b" 101 " not in say(port, upgrade, 1.0)


def test_tls(running, certificate):
    cert, key = certificate
    with running(tls_cert=cert, tls_key=key) as port:
        trusted = ssl.create_default_context(cafile=str(cert))
        answer = httpx.get(f"https://localhost:{port}/healthz", verify=trusted, trust_env=False)
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.deprecated_call():
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"https://localhost:{port}/healthz", verify=old, trust_env=False)


def test_who_does_not_end_a_handshake_is_left_and_holds_nobody_up(running, certificate, monkeypatch):
    monkeypatch.setattr(patience, "HANDSHAKE_SECONDS", 0.5)
    cert, key = certificate
    trusted = ssl.create_default_context(cafile=str(cert))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusted.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    with running(tls_cert=cert, tls_key=key) as port, ExitStack() as stack:
        said = [hello[: len(hello) * part // 4] for part in range(5) for _ in range(20)]
        said.append(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        opened = []
        for start in said:
            opened.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5)))
            opened[-1].sendall(start)
        answer = httpx.get(f"https://localhost:{port}/healthz", verify=trusted, trust_env=False)
        assert answer.status_code == 200
        for connection in opened:
            heard = b"."
            with suppress(ConnectionResetError):
                while heard:
                    heard = connection.recv(4096)


def test_who_reads_nothing_is_left_and_takes_no_memory(running, monkeypatch):
    monkeypatch.setattr(patience.PatientProtocol, "unread_seconds", 0.3)
    written, over = [0], threading.Event()

    async def endless():
        try:
            while True:
                written[0] += 1
                await asyncio.sleep(0)
                yield bytes(2**16)
        finally:
            over.set()

    async def app(scope, receive, send):
        await StreamingResponse(endless())(scope, receive, send)

    with running(app) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(head("/", method="GET"))
        assert over.wait(10)
    assert written[0] < 500, "what the kernel holds, and no more"
