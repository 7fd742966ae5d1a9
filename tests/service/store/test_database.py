from __future__ import annotations

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select

from atypia.errors import BadOption, StoreFailed
from atypia.service.home import Home
from atypia.service.store.database import Store
from atypia.service.store.models import Base, Event


def test_models_and_migrations_agree(any_store):
    with any_store._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing(any_store):
    with any_store.write() as session:
        session.add(Event(kind="job", subject="a"))
    any_store.migrate()
    with any_store.session() as session:
        assert session.scalars(select(Event.subject)).all() == ["a"]


def test_several_servers_may_start_at_once(any_store, home):
    stores = [Store(any_store.url, home) for _ in range(3)]
    threads = [threading.Thread(target=store.migrate) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(store.answers() for store in stores)
    for store in stores:
        store.close()


def test_a_write_waits_for_the_one_before(any_store):
    inside, order = threading.Event(), []

    def other() -> None:
        inside.wait(5)
        with any_store.write() as session:
            session.add(Event(kind="job", subject="second"))
            order.append("second")

    thread = threading.Thread(target=other)
    thread.start()
    with any_store.write() as session:
        session.add(Event(kind="job", subject="first"))
        session.flush()
        inside.set()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_what_raises_leaves_nothing(any_store):
    def breaks() -> None:
        with any_store.write() as session:
            session.add(Event(kind="job", subject="a"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaks()
    with any_store.session() as session:
        assert session.scalars(select(Event)).all() == []


def test_reading_sees_one_moment_while_others_write(store):
    with store.write() as session:
        session.add(Event(kind="job", subject="a"))
    with store.session() as reading:
        assert len(reading.scalars(select(Event.id)).all()) == 1
        with store.write() as session:
            session.add(Event(kind="job", subject="b"))
        assert len(reading.scalars(select(Event.id)).all()) == 1


def test_sqlite_checks_references(store):
    from sqlalchemy.exc import IntegrityError

    from atypia.service.store.models import Job

    with pytest.raises(IntegrityError), store.write() as session:
        session.add(Job(kind="upload", screener="0" * 32))


@pytest.mark.parametrize("url", ["mysql://a@b/c", "no address", "postgresql+nothing://a@b/c"])
def test_an_address_that_cannot_be_used_is_refused_without_telling_it(home: Home, url):
    with pytest.raises(BadOption, match="--database"):
        Store(url, home)


def test_a_database_that_does_not_answer_is_told_without_its_password(home: Home):
    pytest.importorskip("psycopg")
    store = Store("postgresql+psycopg://me:secret@127.0.0.1:1/none", home)
    with pytest.raises(StoreFailed) as caught:
        store.migrate()
    assert "secret" not in str(caught.value)
    assert not store.answers()
