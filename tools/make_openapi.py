"""Write docs/reference/openapi.json, the description of the service's API, from its routes.

python tools/make_openapi.py            # write it
python tools/make_openapi.py --check    # write nothing; exit code 1 where it is out of date
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from atypia.service.api.app import create_app
from atypia.service.home import Home
from atypia.service.settings import Settings
from atypia.service.store.database import Store

FILE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "openapi.json"


def described() -> str:
    """Return the description as it should be."""
    with TemporaryDirectory() as folder:
        home = Home(Path(folder))
        home.make()
        store = Store(None, home)
        app = create_app(Settings(data=home.path), store, home, lambda: None)
        text = json.dumps(app.openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        store.close()
    return text


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--check", action="store_true", help="write nothing; tell whether it is out of date")
    check, text = parser.parse_args().check, described()
    current = FILE.is_file() and FILE.read_text(encoding="utf-8") == text
    if check and not current:
        sys.exit(f"Out of date: {FILE.name}. Run: python tools/make_openapi.py")
    if not current:
        FILE.write_text(text, encoding="utf-8")
    print("up to date" if current else f"written: {FILE.name}")


if __name__ == "__main__":
    main()
