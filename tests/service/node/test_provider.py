"""C-STORE and C-ECHO: what is taken, what is refused and how, and that nobody takes more than their share."""

from __future__ import annotations

import errno
import struct
import subprocess
import threading
import time
from collections.abc import Callable

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import MRImageStorage, StudyRootQueryRetrieveInformationModelFind, Verification
from sqlalchemy import func, select

from atypia.errors import BadOption
from atypia.service.node import spool
from atypia.service.node.provider import Provider
from atypia.service.node.settings import NodeSettings
from atypia.service.store.models import Instance, Study


def until(true: Callable[[], bool], seconds: float = 10) -> bool:
    """Wait until something is true; tell whether it is."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def count(store, kind=Instance):
    with store.session() as session:
        return session.scalar(select(func.count()).select_from(kind))


def echo(port, title="SENDER", called="ATYPIA", tls=None):
    entity = AE(title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
    entity.add_requested_context(Verification)
    opened = []
    keep = [(evt.EVT_CONN_OPEN, lambda event: opened.append(event.assoc.dul.socket.socket))]
    association = entity.associate("127.0.0.1", port, ae_title=called, tls_args=tls, evt_handlers=keep)
    try:
        if not association.is_established:
            return "rejected" if association.is_rejected else "closed"
        return association.send_c_echo().get("Status")
    finally:
        association.release()
        for one in opened:
            one.close()  # pynetdicom leaves a socket open that the other side closed first


def test_instances_are_taken_and_acknowledged(provide, send, write_study, tmp_path):
    node = provide()
    assert echo(node.port) == 0
    files = write_study(tmp_path / "sent", count=5)
    assert send(node.port, files) == [0] * 5
    assert send(node.port, files) == [0] * 5, "again is no error"
    assert count(node.store) == len(node.stored()) == 5
    assert node.left_over() == []
    stored = {pydicom.dcmread(file).SOPInstanceUID for file in node.stored()}
    assert stored == {pydicom.dcmread(file).SOPInstanceUID for file in files}
    assert {file.stat().st_mode & 0o077 for file in (*node.home.studies.iterdir(),)} == {0}


def test_programs_of_dcmtk_send_to_it(provide, write_study, installed, tmp_path):
    echo, store = installed("echoscu"), installed("storescu")
    node = provide()
    files = write_study(tmp_path / "sent", count=5)
    for words in ([echo], [store, "--scan-directories"]):
        given = [] if words == [echo] else [str(files[0].parent)]
        command = [*words, "-aet", "DCMTK", "-aec", "ATYPIA", "127.0.0.1", str(node.port), *given]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
    assert count(node.store) == 5


def test_only_who_is_known_may_call(provide):
    node = provide(callers=("SCANNER",))
    assert echo(node.port, "SCANNER") == 0
    assert echo(node.port, "STRANGER") == "rejected"
    assert echo(node.port, "SCANNER", called="OTHER") == "rejected"


def test_an_address_that_is_not_known_is_not_talked_to(provide, connect, ended):
    node = provide(addresses=("10.1.0.0/16", "fe80::/10"))
    assert echo(node.port) == "closed"
    assert ended(connect(node.port))
    assert echo(provide(addresses=("127.0.0.0/8",)).port) == 0


def test_other_services_and_forms_are_not_offered(provide):
    node = provide()
    entity = AE()
    entity.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    entity.add_requested_context(MRImageStorage, DeflatedExplicitVRLittleEndian)
    entity.add_requested_context(Verification)
    association = entity.associate("127.0.0.1", node.port, ae_title="ATYPIA")
    assert [one.abstract_syntax for one in association.accepted_contexts] == [Verification]
    association.release()


@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC000])
def test_what_cannot_be_kept_is_answered_with_a_status(
    provide, send, write_study, tmp_path, status, monkeypatch
):
    given = {"instance_bytes": 10_000} if status == 0xA700 else {}
    node = provide(**given)
    large, small = write_study(tmp_path / "sent", count=1, size=96) + write_study(tmp_path / "sent", count=1)
    if status == 0xA900:  # announced as another instance
        from pynetdicom.dimse_messages import C_STORE_RQ

        original = C_STORE_RQ.primitive_to_message

        def announce(self, primitive):
            original(self, primitive)
            if "AffectedSOPInstanceUID" in self.command_set and self.command_set.CommandField == 1:
                self.command_set.AffectedSOPInstanceUID = "1.2.3.4"
                self._set_command_group_length()

        monkeypatch.setattr(C_STORE_RQ, "primitive_to_message", announce)
    if status == 0xC000:  # cut short on its way
        import pynetdicom.association as sending

        whole = sending.encode
        monkeypatch.setattr(sending, "encode", lambda *given: whole(*given)[:-100])
    assert send(node.port, [large]) == [status]
    monkeypatch.undo()
    assert send(node.port, [small]) == [0], "the next is taken"
    assert count(node.store) == len(node.stored()) == 1
    assert node.left_over() == []


def test_a_full_disk_is_answered_and_the_association_goes_on(
    provide, send, write_study, tmp_path, monkeypatch
):
    node = provide()
    files = write_study(tmp_path / "sent", count=3)

    def full(_path):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(spool, "flush_to_disk", full)
        assert send(node.port, files) == [0xA700] * 3
    assert (node.stored(), node.left_over()) == ([], [])
    assert send(node.port, files) == [0] * 3
    assert send(provide(free_bytes=2**62).port, files) == [0xA700] * 3, "room is left on the disk"


def test_an_object_without_pixels_is_kept_and_counted(provide, send, write_study, tmp_path):
    node = provide()
    files = write_study(tmp_path, count=2, edit=lambda data, _index: delattr(data, "PixelData"))
    assert send(node.port, files) == [0, 0]
    with node.store.session() as session:
        study = session.scalars(select(Study)).one()
    assert (study.instances, study.objects) == (2, 2)


def test_too_many_associations_are_told_so_and_then_closed(provide, connect, ended):
    node = provide(associations=1, timeout=2)
    entity = AE()
    entity.add_requested_context(Verification)
    first = entity.associate("127.0.0.1", node.port, ae_title="ATYPIA")
    assert first.is_established
    assert echo(node.port) == "rejected"
    held = [connect(node.port) for _ in range(20)]
    assert sum(ended(one) for one in held[-10:]) == 10, "far too many"
    first.release()
    for one in held:
        one.close()
    assert until(lambda: echo(node.port) == 0)


def test_half_open_connections_end_by_themselves(provide, connect, ended):
    node = provide(timeout=0.4)
    silent = connect(node.port)
    started = time.monotonic()
    assert ended(silent)
    assert time.monotonic() - started < 8
    assert echo(node.port) == 0


def test_a_slow_sender_is_left(provide, connect, ended):
    node = provide(timeout=0.4)
    slow = connect(node.port)
    slow.sendall(b"\x01\x00" + struct.pack(">L", 200) + b"\x00\x01")  # a request that never ends
    stop = threading.Event()

    def drip():
        while not stop.wait(0.1):
            try:
                slow.sendall(b"\x00")
            except OSError:
                return

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        assert ended(slow)
    finally:
        stop.set()
        dripping.join()
    assert echo(node.port) == 0


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"\x01\x00" + struct.pack(">L", 2**32 - 1) + bytes(1000),  # a request of 4 GiB
        b"\x04\x00" + struct.pack(">L", 2**31) + bytes(1000),  # data before any association
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
        b"\x01\x00\x00\x00\x00\x10" + bytes(16),
        b"\x16\x03\x01\x02\x00\x01" + bytes(64),  # TLS
        b"",
    ],
    ids=["long request", "long data", "http", "zeros", "tls", "nothing"],
)
def test_what_is_no_dicom_ends_the_connection_and_nothing_else(provide, connect, ended, bytes_sent):
    node = provide(timeout=1)
    odd = connect(node.port)
    odd.sendall(bytes_sent)
    assert ended(odd)
    assert echo(node.port) == 0
    assert node.left_over() == []


def associated(port):
    entity = AE("RAW")
    entity.add_requested_context(MRImageStorage)
    association = entity.associate("127.0.0.1", port, ae_title="ATYPIA")
    assert association.is_established
    return association, association.accepted_contexts[0].context_id


def pdu(context, flags, content):
    value = struct.pack(">LBB", len(content) + 2, context, flags) + content
    return b"\x04\x00" + struct.pack(">L", len(value)) + value


def command(field=1, extra=b""):
    def element(number, value):
        value += b"\0" * (len(value) % 2)
        return struct.pack("<HHL", 0, number, len(value)) + value

    body = element(0x0002, MRImageStorage.encode()) + element(0x0100, struct.pack("<H", field))
    body += element(0x0110, b"\x01\x00") + element(0x0700, b"\x00\x00") + element(0x0800, b"\x01\x00")
    body += element(0x1000, b"1.2.3.4.5") + extra
    return element(0x0000, struct.pack("<L", len(body))) + body


@pytest.mark.parametrize("how", ["context", "command", "query", "oversized", "unknown", "flood"])
def test_malformed_messages_abort_their_association(provide, how):
    node = provide(timeout=3)
    association, context = associated(node.port)
    raw = association.dul.socket.socket
    parts = {
        "context": [pdu(99, 3, command()), pdu(99, 2, b"data")],
        "command": [pdu(context, 3, b"\x00\x00no command at all")],
        "query": [pdu(context, 3, command(0x0020)), *[pdu(context, 0, bytes(60_000))] * 3],
        "oversized": [pdu(context, 3, command()), pdu(context, 0, bytes(400_000))],
        "unknown": [pdu(context, 3, command(0x7777))],
        "flood": [pdu(context, 3, command()) + pdu(context, 2, b"xx")] * 200,
    }[how]
    try:
        for part in parts:
            raw.sendall(part)
    except OSError:
        pass  # it has ended already
    assert until(lambda: not association.is_established), how
    association.kill()
    raw.close()
    assert until(lambda: node.left_over() == [])
    assert count(node.store) == 0
    assert echo(node.port) == 0


def test_what_was_half_received_is_removed(provide):
    node = provide()
    association, context = associated(node.port)
    raw = association.dul.socket.socket
    raw.sendall(pdu(context, 3, command()) + pdu(context, 0, bytes(20_000)))
    assert until(lambda: len(node.left_over()) == 1)
    association.abort()
    raw.close()
    assert until(lambda: node.left_over() == [])


def test_a_port_that_is_taken_is_told(provide, home):
    node = provide()
    with pytest.raises(BadOption, match="cannot be listened on"):
        Provider(NodeSettings(port=node.port), home, node.recorder)


def test_it_speaks_tls_where_it_has_a_certificate(provide, connect, ended, certificate):
    import ssl

    cert, key = certificate
    node = provide(tls_cert=cert, tls_key=key, tls_ca=cert, timeout=2)
    trusting = ssl.create_default_context(cafile=cert)
    assert echo(node.port, tls=(trusting, "localhost")) == "closed", "it asks for a certificate"
    trusting.load_cert_chain(cert, key)
    assert echo(node.port, tls=(trusting, "localhost")) == 0
    silent = connect(node.port)  # a handshake that is never begun holds nobody up
    assert echo(node.port, tls=(trusting, "localhost")) == 0
    assert echo(node.port) == "closed"
    assert ended(silent)


def test_a_certificate_that_cannot_be_read_is_told(home, tmp_path, certificate):
    cert, _ = certificate
    with pytest.raises(BadOption, match=r"missing\.pem") as caught:
        Provider(NodeSettings(port=0, tls_cert=cert, tls_key=tmp_path / "missing.pem"), home, None)
    assert str(tmp_path) not in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of localhost that signed itself, and its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from datetime import UTC, datetime, timedelta

    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder, secret = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(secret.private_bytes(pem, *plain))
    return folder / "cert.pem", folder / "key.pem"
