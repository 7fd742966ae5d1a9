"""The description of the API is current, and what it says is so, whatever is sent."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from atypia.service.api.app import create_app
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store import screeners
from atypia.service.store.database import Store
from atypia.service.store.models import Finding, Job

BASE = "http://127.0.0.1:8765"
ROOT = Path(__file__).resolve().parents[3]
ENDLESS = "follow_all|follow_job"
ELSEWHERE = "add_screener|begin_login|end_login|store_instances.*"
"""Tested on their own: they start processes, lead to other servers, or speak DICOM."""

NOT_HELD = [positive_data_acceptance]
"""A body of the right shape may still hold no scan, and a text of the right shape be no cursor."""


@pytest.fixture(scope="module")
def served(tmp_path_factory, screener_file, described):
    """An app with something in it to be found."""
    home = Home(tmp_path_factory.mktemp("openapi"))
    home.make()
    store = Store(None, home)
    store.migrate()
    sha256 = screeners.keep(home, screener_file)
    with store.write() as session:
        row = screeners.register(session, sha256, described, name="quick", size=1)
        session.add(Job(id="1" * 32, kind="upload", state="done", screener=row.id))
        session.flush()
        session.add(
            Finding(
                job="1" * 32,
                screener=row.id,
                index=0,
                label="x",
                kind="picture",
                verdict="normal",
                p_value=0.5,
            )
        )
    yield create_app(Settings(data=home.path), store, home, lambda: None)
    store.close()


@pytest.fixture(scope="module")
def api_schema(served):
    loaded = schemathesis.openapi.from_dict(served.openapi())
    loaded.app = served
    return loaded


def test_answers_are_as_described(api_schema):
    tried = 0
    chosen = api_schema.exclude(operation_id_regex=f"^({ENDLESS}|{ELSEWHERE})$")
    for operation in (result.ok() for result in chosen.get_all_operations()):
        check(operation)
        tried += 1
    assert tried >= 30


def check(operation):
    """Send what the description allows, and what it does not, and hold the answers against it."""

    @settings(
        max_examples=8,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )
    @given(case=operation.as_strategy())
    def ask(case):
        case.call_and_validate(base_url=BASE, excluded_checks=NOT_HELD)

    ask()


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("make_openapi", ROOT / "tools" / "make_openapi.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_description_in_the_docs_is_current(tool):
    current = tool.FILE.read_text(encoding="utf-8") == tool.described()
    assert current, "run: python tools/make_openapi.py"


def test_operations_have_names_of_their_own(served):
    told = served.openapi()
    names = [operation["operationId"] for path in told["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))
    assert all(operation.get("description") for path in told["paths"].values() for operation in path.values())
