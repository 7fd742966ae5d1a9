"""Addresses that are told can be opened."""

from __future__ import annotations

import socket

import pytest

from atypia.service import addresses as told
from atypia.service.addresses import addresses


@pytest.mark.parametrize("host", ["0.0.0.0", "::"], ids=["four", "six"])
def test_of_all_addresses_those_are_told_that_can_be_opened(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = addresses("http", host, 8765)
    assert not any(nowhere in one for one in found for nowhere in ("//0.0.0.0", "//[::]"))
    assert len(set(found)) == len(found)
    with socket.socket(family) as listening:
        try:
            listening.bind((host, 0))
        except OSError:
            pytest.skip("this machine has no addresses of this kind")
        listening.listen()
        for one in found:
            name = one.removeprefix("http://").removesuffix(":8765").strip("[]")
            if name != socket.gethostname():  # which need not be known here
                socket.create_connection((name, listening.getsockname()[1]), timeout=5).close()


def test_without_a_network_this_machine_is_told(monkeypatch):
    def none(*_given):
        raise OSError

    monkeypatch.setattr(told.socket, "getaddrinfo", none)
    monkeypatch.setattr(told.socket.socket, "connect", none)
    monkeypatch.setattr(told.socket, "gethostname", lambda: "brain")
    assert addresses("https", "0.0.0.0", 1) == ("https://127.0.0.1:1", "https://brain:1")
