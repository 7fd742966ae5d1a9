from __future__ import annotations

import signal
import subprocess
import sys

import pytest

CODE = "from atypia.parent import end_with_input; end_with_input(0.1); import time; {}; time.sleep(60)"


@pytest.mark.skipif(sys.platform == "win32", reason="signals have other numbers there")
@pytest.mark.parametrize(
    ("doing", "code"),
    [
        ("pass", -signal.SIGTERM),
        ("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)", 128 + signal.SIGTERM),
    ],
    ids=["in order", "deaf"],
)
def test_a_command_ends_once_its_input_ends(doing, code):
    process = subprocess.Popen(
        [sys.executable, "-c", f"{CODE.format(doing)}"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    assert process.stdin is not None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.6)
    process.stdin.close()
    assert process.wait(30) == code
