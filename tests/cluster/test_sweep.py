"""Many Screeners by one recipe."""

from __future__ import annotations

import json
import signal
import sys

import pytest

from atypia.cluster import sweep
from atypia.cluster.sweep import Fit, read_sweep, run_sweep
from atypia.errors import BadOption

RECIPE = """
[defaults]
detector = "nearest"
crop = true

[[fit]]
scans = "a"
out = "a.atypia"

[[fit]]
scans = ["b", "c"]
out = "sites/b.atypia"
detector = "atlas"
crop = false
seed = 3
set = ["x=1", "y=2"]
"""


@pytest.fixture
def recipe(tmp_path):
    file = tmp_path / "sites.toml"
    file.write_text(RECIPE)
    return file


@pytest.fixture
def fitted(monkeypatch):
    """Stand-in for the process of a fit: it fails where the scans are `b`; return the words of all."""
    given = []

    def fit_apart(words, _name, _folder):
        given.append(list(words))
        if "b" in words:
            return 2, "atypia: no such folder", None
        return 0, "", f"Screener of {words}".encode()

    monkeypatch.setattr(sweep, "fit_apart", fit_apart)
    return given


def test_a_recipe_is_words_of_fit(recipe, tmp_path):
    assert read_sweep(recipe) == [
        Fit(("a", "--crop", "--detector=nearest"), tmp_path / "a.atypia"),
        Fit(
            ("b", "c", "--no-crop", "--detector=atlas", "--seed=3", "--set=x=1", "--set=y=2"),
            tmp_path / "sites" / "b.atypia",
        ),
    ]


@pytest.mark.parametrize(
    ("text", "received"),
    [
        ("fit = 3", "received fit"),
        ("", "received none"),
        ("[[fit]]\nout = 'a'", "fit 1: expected scans, a path or a list of paths, received None"),
        ("[[fit]]\nscans = 'a'", "expected out, the file of the Screener, received None"),
        ("[[fit]]\nscans = 'a'\nout = 'x'\nseed = {}", "true or false for seed, received {}"),
        ("[[fit]]\nscans = 'a'\nout = 'x'\n[[fit]]\nscans = 'b'\nout = 'x'", "x twice"),
        ("[[fit]]\nscans = 'a'\nout = 'x'\n[more]", "received fit, more"),
        ("[[fit", "expected a recipe in TOML"),
        ("a = " + "[" * 5000, "expected a recipe in TOML"),
        ("a = " + "9" * 5000, "expected a recipe in TOML"),
    ],
    ids=range(10),
)
def test_a_recipe_that_is_wrong(tmp_path, text, received):
    file = tmp_path / "sites.toml"
    file.write_text(text)
    with pytest.raises(BadOption, match=received):
        read_sweep(file)


def test_one_that_fails_costs_itself_alone_and_the_others_are_not_fitted_again(recipe, fitted, tmp_path):
    fits = read_sweep(recipe)
    good, bad = run_sweep(fits, tmp_path, None, 2)
    assert (good.code, good.failed) == (0, False)
    assert (bad.code, bad.failed, bad.told) == (2, True, "atypia: no such folder")
    assert (tmp_path / "a.atypia").read_bytes().startswith(b"Screener of")
    assert not (tmp_path / "sites").exists()
    assert fitted[0][-2:] == ["--threads", "2"]
    fitted.clear()
    assert [one.code for one in run_sweep(fits, tmp_path, None, None)] == [None, 2]
    assert [words[0] for words in fitted] == ["b"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer here")
def test_a_fit_ends_with_the_sweep(tmp_path, monkeypatch):
    """A signal comes while it runs: it is asked to end, and has ended when the sweep goes on to end."""
    code = (
        "import pathlib, signal, sys, time\nhere = pathlib.Path(sys.argv[-3])\n"
        "signal.signal(signal.SIGTERM, lambda *_: (here.write_text('ended'), sys.exit(3)))\n"
        "here.write_text('began')\ntime.sleep(60)"
    )
    note = tmp_path / "note"
    monkeypatch.setattr(sweep, "_APART", (sys.executable, "-c", code))

    def ask(*_):
        if note.exists() and note.read_text():
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, ask)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
        with pytest.raises(KeyboardInterrupt):
            list(run_sweep([Fit((str(note),), tmp_path / "a.atypia")], tmp_path, None, None))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert note.read_text() == "ended"


def test_another_recipe_or_another_file_is_fitted_again(recipe, fitted, tmp_path):
    list(run_sweep(read_sweep(recipe), tmp_path, None, None))
    fitted.clear()
    recipe.write_text(RECIPE.replace("nearest", "gaussian"))
    assert next(run_sweep(read_sweep(recipe), tmp_path, None, None)).code == 0
    (tmp_path / "a.atypia").write_bytes(b"another")
    assert next(run_sweep(read_sweep(recipe), tmp_path, None, None)).code == 0
    note = json.loads((tmp_path / "a.atypia.sweep.json").read_text())
    assert note["words"] == ["a", "--crop", "--detector=gaussian"]


@pytest.mark.usefixtures("fitted")
def test_the_command_tells_what_came_of_each(atypia, recipe, tmp_path):
    done = atypia("fit", "--sweep", recipe)
    assert done.code == 2
    assert f"saved {tmp_path / 'a.atypia'}\n" in done.out
    assert f"failed {tmp_path / 'sites' / 'b.atypia'}: atypia: no such folder\n1 of 2 failed" in done.err
    assert f"there {tmp_path / 'a.atypia'}\n" in atypia("fit", "--sweep", recipe).out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--sweep", "x.toml", "--seed", 3), "received --seed. Write it in x.toml"),
        (("--sweep", "x.toml", "healthy"), "received scans."),
        (("--sweep", "no.toml"), "no.toml: expected a recipe in TOML"),
        (("healthy", "-o", "x", "--engine", "ray"), "Expected --sweep beside --engine ray"),
        (("healthy", "-o", "x", "--workers", 2), "Expected --engine ray beside --workers"),
        (("-o", "x"), "Missing argument 'SCANS...'"),
        (("healthy",), "Missing option '-o' / '--out'"),
    ],
)
def test_options_that_do_not_go_together(atypia, words, told):
    done = atypia("fit", *words)
    assert done.code == 2
    assert told in done.err


def test_a_fit_runs_in_a_process_of_its_own(tmp_path):
    code, told, content = sweep.fit_apart(["nowhere", "--detector=nearest"], "a.atypia", str(tmp_path))
    assert (code, content) == (2, None)
    assert "nowhere: expected a folder of scans" in told
