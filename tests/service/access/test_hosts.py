"""Host and Origin headers, whatever stands in them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atypia.service.access.hosts import Origin, is_allowed, is_loopback, origin_of, parse_host

HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z0-9]{1,8}){0,2}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address.compressed}]"),
)
PORTS = st.integers(1, 65535)


@given(HOSTS, PORTS)
def test_a_host_with_a_port_is_read_back(host, port):
    assert parse_host(f"{host.upper()}:{port}") == (host, port)
    assert parse_host(host) == (host, None)


@given(st.sampled_from(["http", "https"]), HOSTS, PORTS)
def test_an_origin_written_is_the_origin_read(scheme, host, port):
    origin = Origin(scheme, host, port)
    assert origin_of(str(origin)) == origin
    assert origin_of(f"{origin}/any/path") == origin


@given(st.text(max_size=60))
@example("127.0.0.1\r\nX-Evil: 1")
@example("localhost@evil.example")
@example("localhost#evil.example")
def test_what_is_no_plain_host_is_none(text):
    found = parse_host(text)
    if found is not None:
        assert all(sign.isascii() and (sign.isalnum() or sign in "._-[]:") for sign in found[0])
        assert found[1] is None or 0 < found[1] < 65536


@pytest.mark.parametrize(
    "text",
    [
        "", "a b", "a/b", "a@b", "a:b", "a:", "a:99999", "[::1", "[1.2.3]",
        "a..b", "-", "a\\b", "a,b", "a\x00", "ü", "a" * 300,
    ],
)  # fmt: skip
def test_strange_hosts(text):
    assert parse_host(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "null", "", "ftp://a", "//a", "http://", "http://a@b",
        "http://a b", "http://a?x", "http://a\\@b", "javascript:1",
    ],
)  # fmt: skip
def test_strange_origins(text):
    assert origin_of(text) is None


@pytest.mark.parametrize(
    "name", ["localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "10.0.0.1", "evil"]
)
def test_what_only_looks_like_loopback(name):
    assert not is_loopback(name)


def test_names_below_a_name():
    allowed = ("*.example.org", "other.example")
    assert is_allowed("a.example.org", allowed)
    assert is_allowed("other.example", allowed)
    assert not is_allowed("example.org", allowed)
    assert not is_allowed("evilexample.org", allowed)
    assert not is_allowed("a.other.example", allowed)
