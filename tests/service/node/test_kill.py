"""The node is killed while four senders send: what it acknowledged is there after a new start."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pydicom
import pytest
from pynetdicom import AE, evt
from sqlalchemy import select

from atypia.service.node.instance import examine
from atypia.service.node.recording import Recorder
from atypia.service.node.settings import NodeSettings
from atypia.service.store.models import Instance, Study

NODE = """
import sys, time
from pathlib import Path
from atypia.service.home import Home
from atypia.service.node.provider import Provider
from atypia.service.node.recording import Recorder
from atypia.service.node.settings import NodeSettings
from atypia.service.store.database import Store

home = Home(Path(sys.argv[1]))
settings = NodeSettings(port=0)
provider = Provider(settings, home, Recorder(Store(None, home), home, settings))
print(provider.port, flush=True)
time.sleep(60)
"""


def send_until_the_end(port, files, known):
    """Send files one after another, and note the UIDs that are acknowledged before the connection ends."""
    entity = AE("SENDER")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 1
    entity.add_requested_context("1.2.840.10008.5.1.4.1.1.4")
    opened = []
    keep = [(evt.EVT_CONN_OPEN, lambda event: opened.append(event.assoc.dul.socket.socket))]
    association = entity.associate("127.0.0.1", port, ae_title="ATYPIA", evt_handlers=keep)
    for file in files:
        if not association.is_established:
            break
        data = pydicom.dcmread(file)
        try:
            if association.send_c_store(data).get("Status") == 0:
                known.add(str(data.SOPInstanceUID))
        except RuntimeError:  # it ended between the two
            break
    association.kill()
    for one in opened:
        one.close()  # pynetdicom leaves a socket open that the other side closed first


@pytest.mark.slow
def test_nothing_that_was_acknowledged_is_lost(home, store, write_study, tmp_path):
    parts = [write_study(tmp_path / str(one), count=60, study="1.2.3", size=16) for one in range(4)]
    acknowledged: set[str] = set()
    for run in range(2):
        command = [sys.executable, "-c", NODE, str(home.path)]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node,
            ThreadPoolExecutor(4) as pool,
        ):
            assert node.stdout is not None
            port = int(node.stdout.readline())
            sent = [pool.submit(send_until_the_end, port, part[30 * run :], acknowledged) for part in parts]
            end = time.monotonic() + 10
            while len(acknowledged) < 20 * (run + 1) and time.monotonic() < end:
                time.sleep(0.01)
            node.kill()
            for one in sent:
                one.result()
    assert 40 <= len(acknowledged) < 240, "it was killed while it was sent to"
    recorder = Recorder(store, home, NodeSettings())
    with store.session() as session:
        study = session.scalars(select(Study)).one()
        rows = {row.key: row for row in session.scalars(select(Instance))}
    assert study.instances == len(rows)
    for uid in acknowledged:
        row = rows[recorder.keyed("instance", uid)]
        told = examine(home.study(study.id) / row.file)
        assert (told.uid, told.sha256) == (uid, row.sha256)
    recorder.stop()
