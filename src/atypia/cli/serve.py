"""`serve`: the reading room."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atypia.cli import options
from atypia.cli import pretrained as shipped
from atypia.cli.command import Taught
from atypia.errors import MissingExtra
from atypia.notice import RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from atypia.service.running import Started

OURS = "atypia"


@click.command(
    cls=Taught,
    short_help="Serve the reading room: a page, an API, a DICOM node.",
    examples=(
        "atypia serve --open",
        "atypia serve brain.atypia --open",
        "atypia serve brain.atypia --root scans/ --healthy healthy/",
        "atypia serve brain.atypia --dicom-port 11112",
        "atypia serve brain.atypia --require-signature lab.pub",
        "atypia serve --config atypia.toml",
        "atypia serve brain.atypia --host 0.0.0.0 --tls-cert server.crt --tls-key server.key",
    ),
    glossary={
        "Where settings come from": [
            (
                "FILE.toml",
                "with --config: a setting by its name, tables [limits], [access], [node], [[peers]]",
            ),
            ("ATYPIA_SERVE_NAME", "the environment; of a table ATYPIA_SERVE_LIMITS__UPLOAD_BYTES"),
            ("options", "those of this command, which come before both"),
        ],
        "What the data folder holds": [
            ("atypia.sqlite", "jobs, findings, feedback, tokens by their hashes; unless --database"),
            ("uploads/, studies/", "what came in; removed with its job"),
            ("findings/", "pictures, maps, pages and DICOM results, a folder for each finding"),
            ("screeners/", "the files of Screeners, by their hashes"),
            ("reserve", "room kept aside, and given up when the disk is full"),
            ("key", "the secret that identifiers of studies are hashed with: keep it"),
        ],
    },
)
@click.argument("files", nargs=-1, type=options.PATH, metavar="[FILE]...")
@click.option("--data", type=options.PATH, metavar="FOLDER", help="Data folder. Default: one of this user's.")
@click.option("--host", metavar="ADDRESS", help="Where to listen. Default: 127.0.0.1, this machine alone.")
@click.option("--port", type=click.IntRange(0, 65535), metavar="N", help="Default: 8765; 0: any free one.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Processes that judge. Default: 1.")
@click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    help="Threads of each worker. Default: its share of cores.",
)
@click.option(
    "--database",
    metavar="URL",
    help="PostgreSQL for several servers, as postgresql+psycopg://USER:PASSWORD@HOST/NAME. Default: SQLite.",
)
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=options.PATH,
    metavar="FOLDER",
    help="A folder that jobs may name paths in; may be given several times.",
)
@click.option(
    "--healthy",
    type=options.PATH,
    metavar="SCANS",
    help="Healthy scans, as folder or table: those that look most like a scan are shown beside it.",
)
@click.option(
    "--require-signature",
    type=options.PATH,
    metavar="KEY.pub",
    help="Use no Screener but those that this key has signed: see 'atypia sign'.",
)
@click.option("--keep-names", is_flag=True, help="Keep the names of uploaded files, which may name patients.")
@click.option(
    "--keep-days",
    type=click.FloatRange(0, 100_000, min_open=True),
    metavar="N",
    help="Forget studies and jobs that are older, with all that was found of them: see 'atypia forget'.",
)
@click.option("--discard-uploads", is_flag=True, help="Remove what was uploaded when its job has ended.")
@click.option("--dicom-port", type=click.IntRange(0, 65535), metavar="N", help="Take DICOM by C-STORE there.")
@click.option("--ae-title", metavar="TITLE", help="Title of the DICOM node. Default: ATYPIA.")
@click.option("--tls-cert", type=options.PATH, metavar="FILE", help="Certificate, PEM, to speak TLS.")
@click.option("--tls-key", type=options.PATH, metavar="FILE", help="Its key, PEM.")
@click.option(
    "--public-url", metavar="URL", help="How browsers reach the server, where a proxy is before it."
)
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="Another name of this server.")
@click.option(
    "--trusted-proxy", "proxies", multiple=True, metavar="ADDRESS", help="A proxy whose word is believed."
)
@click.option("--config", type=options.PATH, metavar="FILE.toml", help="Settings.")
@click.option("--log-level", type=click.Choice(("debug", "info", "warning", "error")), help="Default: info.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
def serve(files: tuple[Path, ...], config: Path | None, open_page: bool, **given: Any) -> None:
    """Serve a page that judges the scans dropped on it, an API for programs, and a DICOM node.

    FILEs are Screeners that 'atypia fit' saved; the first is used where a job names none. Without any, the
    Screener that comes with Atypia is served. All runs on this machine: nothing is fetched from elsewhere.

    What was accepted is judged, also where the server is killed meanwhile: start it again with the
    same --data.
    Off loopback it refuses to start without tokens or a login: see 'atypia tokens --help'. The log goes to
    standard error, a line of JSON for each event.
    """
    try:
        from atypia.service.home import usual_data
        from atypia.service.running import serve as run
        from atypia.service.settings import read_settings
        from atypia.service.telling import tell_in_json
    except ModuleNotFoundError as error:
        if (error.name or OURS).partition(".")[0] == OURS:
            raise
        raise MissingExtra("The reading room", "serve") from error
    settings = read_settings(config, _named(given), usual={"data": usual_data()})
    tell_in_json(settings.log_level)

    def tell(started: Started) -> None:
        _tell(started)
        if open_page:
            click.launch(started.address)

    run(settings, files, tell)


def _named(given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given on the command line by the names of settings."""
    names = {
        "dicom_port": "node.port",
        "ae_title": "node.ae_title",
        "tls_cert": "access.tls_cert",
        "tls_key": "access.tls_key",
        "public_url": "access.public_url",
        "hosts": "access.allowed_hosts",
        "proxies": "access.trusted_proxies",
    }
    discard = given.pop("discard_uploads")
    told = {
        names.get(name, name): value
        for name, value in given.items()
        if value is not None and value is not False and value != ()  # 0 is a port: any that is free
    }
    return told | ({"keep_uploads": False} if discard else {})


def _tell(started: Started) -> None:
    click.echo(f"Atypia reads at {started.address}")
    for other in started.others:
        click.echo(f"           and at {other}")
    click.echo(f"Screener: {started.screener}")
    if started.key is not None:
        click.echo(f"It uses no Screener but those that the key {started.key} has signed.")
    if started.shipped:
        click.echo(shipped.UNCALIBRATED, err=True)
    if started.dicom_port is not None:
        click.echo(f"DICOM: C-STORE at port {started.dicom_port}")
    click.echo(f"data: {started.data}")
    if started.open_to_all:
        click.echo(
            "Everyone on this machine may use it. To ask for tokens: "
            f"atypia tokens add NAME --role reader --data {started.data}"
        )
    else:
        click.echo("It asks for a token or a login: see 'atypia tokens --help'.")
    for warning in started.warnings:
        click.echo(warning, err=True)
    click.echo(f"Ctrl+C ends it. {RESEARCH_USE_ONLY}")
