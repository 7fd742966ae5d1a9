from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from atypia.cache import cache_folder, cache_limit
from atypia.errors import BadOption


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ATYPIA_CACHE", str(tmp_path))
    assert cache_folder("features", "a") == tmp_path / "features" / "a"
    monkeypatch.setenv("ATYPIA_CACHE", "~/elsewhere")
    assert cache_folder("features") == Path.home() / "elsewhere" / "features"


def test_else_it_is_the_user_s_cache(monkeypatch):
    for value in ("", None):
        monkeypatch.setenv("ATYPIA_CACHE", value) if value is not None else monkeypatch.delenv("ATYPIA_CACHE")
        assert cache_folder("weights") == platformdirs.user_cache_path("atypia") / "weights"


def test_the_environment_bounds_what_is_cached(monkeypatch):
    for given, limit in (("0.5", 2**29), ("12", 12 * 2**30), ("", 8 * 2**30)):
        monkeypatch.setenv("ATYPIA_CACHE_LIMIT", given)
        assert cache_limit() == limit


@pytest.mark.parametrize("given", ["much", "0", "-1", "nan", "inf"])
def test_a_bound_that_is_none_is_an_error(monkeypatch, given):
    monkeypatch.setenv("ATYPIA_CACHE_LIMIT", given)
    with pytest.raises(BadOption, match="ATYPIA_CACHE_LIMIT"):
        cache_limit()
