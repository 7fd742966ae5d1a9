"""What can be set of the node, and what is refused."""

from __future__ import annotations

import pytest

from atypia.errors import BadOption
from atypia.service.node.settings import NodeSettings, Peer
from atypia.service.settings import read_settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"ae_title": "SEVENTEEN LETTERS"},
        {"ae_title": "   "},
        {"callers": ("BACK\\SLASH",)},
        {"associations": 0},
        {"pdu_bytes": 100},
        {"port": 70_000},
        {"complete_at": 0},
        {"quiet_seconds": 0},
        {"keep_days": -1},
        {"addresses": ("10.0.0.0/99",)},
        {"tls_cert": "cert.pem"},
        {"tls_ca": "ca.pem"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(BadOption, match=rf"node\.{next(iter(wrong))}"):
        NodeSettings(**wrong)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::", "pacs.hospital"])
def test_off_loopback_somebody_must_have_said_who_may_send(host):
    with pytest.raises(BadOption, match="nothing says who may send"):
        NodeSettings(port=11112, host=host)
    assert NodeSettings(port=11112, host=host, addresses=("10.1.0.0/16",)).networks
    assert NodeSettings(port=11112, host=host, callers=("SCANNER",))
    assert NodeSettings(host=host).port is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_on_loopback_anybody_may_send(host):
    assert NodeSettings(port=0, host=host).callers == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a/b", "host": "h", "ae_title": "A"},
        {"name": "a", "host": "", "ae_title": "A"},
        {"name": "a", "host": "h", "ae_title": ""},
        {"name": "a", "host": "h", "ae_title": "A", "port": 0},
        {"name": "a", "kind": "stow", "url": "ftp://archive"},
        {"name": "a", "kind": "stow", "url": "https://user:pass@archive"},
        {"name": "a", "kind": "stow", "url": "https://archive:x/"},
        {"name": "a", "host": "h", "ae_title": "A", "tries": 0},
    ],
    ids=str,
)
def test_a_peer_that_cannot_be_reached_is_refused(wrong):
    with pytest.raises(BadOption, match="peers"):
        Peer(**wrong)


def test_the_secrets_of_a_peer_are_not_told():
    peer = Peer("a", kind="stow", url="https://archive/dicom-web", user="u", password="hush", token="quiet")
    assert "hush" not in repr(peer)
    assert "quiet" not in repr(peer)


def test_they_are_read_from_a_file(tmp_path):
    file = tmp_path / "atypia.toml"
    file.write_text(
        f'data = "{tmp_path}"\n'
        '[node]\nport = 11112\nae_title = "ROOM"\ncallers = ["SCANNER"]\nresults = ["sr"]\n'
        '[[peers]]\nname = "pacs"\nhost = "pacs.local"\nae_title = "PACS"\n'
        '[[peers]]\nname = "web"\nkind = "stow"\nurl = "https://archive/dicom-web"\n'
    )
    settings = read_settings(file, {}, {})
    assert (settings.node.port, settings.node.callers, settings.node.results) == (
        11112,
        ("SCANNER",),
        ("sr",),
    )
    assert [peer.name for peer in settings.peers] == ["pacs", "web"]
    file.write_text(f'data = "{tmp_path}"\n[node]\nresults = ["pdf"]\n')
    with pytest.raises(BadOption, match=r"node\.results"):
        read_settings(file, {}, {})
