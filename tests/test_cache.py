from __future__ import annotations

from pathlib import Path

import platformdirs

from atypia.cache import cache_folder


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path))
    assert cache_folder("features", "a") == tmp_path / "features" / "a"
    monkeypatch.setenv("ATYPIA_CACHE", "~/elsewhere")
    assert cache_folder("features") == Path.home() / "elsewhere" / "features"


def test_else_it_is_the_user_s_cache(monkeypatch):
    for value in ("", None):
        monkeypatch.setenv("ATYPIA_CACHE", value) if value is not None else monkeypatch.delenv("ATYPIA_CACHE")
        assert cache_folder("weights") == platformdirs.user_cache_path("atypia") / "weights"
