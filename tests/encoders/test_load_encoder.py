from __future__ import annotations

from pathlib import Path

import pytest

from atypia import encoders
from atypia.encoders import ENCODERS, deepest_cut, load_encoder
from atypia.encoders.weights import OFFICIAL
from atypia.errors import BadOption, WeightsError


def test_auto_takes_the_embedded_encoder_where_there_are_no_weights(empty_caches: Path) -> None:
    assert load_encoder().name == "efficientnet-lite0"
    assert not empty_caches.exists()


def test_auto_takes_resnet50_where_its_weights_are_named(conv2_file: Path) -> None:
    assert load_encoder("auto", cut=("conv2",), weights=conv2_file).name == "resnet50"


def test_auto_takes_resnet50_where_its_weights_are_cached(
    conv2_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "weights_at_hand", lambda *_: conv2_file)
    monkeypatch.setattr("atypia.encoders.resnet50.obtain_weights", lambda *_: conv2_file)
    assert load_encoder(cut=("conv2",)).name == "resnet50"


def test_auto_does_not_hide_damaged_weights(empty_caches: Path) -> None:
    empty_caches.parent.mkdir(parents=True)
    empty_caches.write_bytes(b"half a download")
    with pytest.raises(WeightsError, match=OFFICIAL.md5):
        load_encoder()


@pytest.mark.parametrize("name", ENCODERS)
def test_the_table_names_its_encoders(name: str, whole_file: Path) -> None:
    encoder = load_encoder(name, weights=whole_file if name == "resnet50" else None, threads=1)
    assert (encoder.name, len(encoder.cut), encoder.threads) == (name, 1, 1)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    words = r"auto, resnet50, efficientnet-lite0, keras:MODEL \(.*\) or hub:MODEL \(.*\); received"
    for name in ("vgg", "keras", "keras:", "other:VGG16"):
        with pytest.raises(BadOption, match=f"{words} '{name}'"):
            load_encoder(name)


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("efficientnet-lite0", ("stage8", "stage16")),
        ("keras:ConvNeXtTiny", ("stride8", "stride16")),
        ("hub:dinov2_small", ("depth67", "depth100")),
    ],
)
def test_the_deepest_cuts_of_any_encoder_are_known_without_building_it(
    name: str, cut: tuple[str, ...]
) -> None:
    assert deepest_cut(name, None, 2) == cut
