"""Ask whether a known vulnerability is in what requirements.txt and the page's lock pin. Needs a network.

    python tools/audit_dependencies.py

It runs pip-audit over requirements.txt, which is asked to be strict: without it, a package that the service
of advisories does not know counts as sound, and a machine that reaches none passes. For the page it runs npm
audit. What tools/advisories.toml names with a reason, and a day that is not past, is left out. Exits with 0
when both could ask and neither found anything. Pins that are for another Python or platform are passed over.
"""

from __future__ import annotations

import datetime
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PIP_AUDIT = "pip-audit==2.10.1"
OPTIONS = ("--strict", "--require-hashes", "--disable-pip", "--progress-spinner", "off")


def accepted(text: str, today: datetime.date) -> list[str]:
    """Return the advisories that are left out today.

    >>> entry = '[[advisory]]\\nid = "A-1"\\npackage = "p"\\nreason = "Not reached."\\nuntil = 2030-01-01'
    >>> accepted(entry, datetime.date(2029, 12, 31)), accepted(entry, datetime.date(2030, 1, 2))
    (['A-1'], [])
    """
    entries: list[dict[str, Any]] = tomllib.loads(text).get("advisory", [])
    for entry in entries:
        if missing := {"id", "package", "reason", "until"} - entry.keys():
            raise SystemExit(f"tools/advisories.toml: {entry} lacks {', '.join(sorted(missing))}.")
    return [entry["id"] for entry in entries if today <= entry["until"]]


def command(ignored: list[str]) -> list[str]:
    """Return the command that audits the Python packages."""
    left_out = [word for name in ignored for word in ("--ignore-vuln", name)]
    return ["uv", "tool", "run", PIP_AUDIT, "-r", "requirements.txt", *OPTIONS, *left_out]


def main() -> int:
    text = (ROOT / "tools/advisories.toml").read_text(encoding="utf-8")
    ignored = accepted(text, datetime.datetime.now(datetime.UTC).date())
    commands = [(command(ignored), ROOT), (["npm", "audit", "--audit-level=low"], ROOT / "page")]
    failed = []
    for words, folder in commands:
        if shutil.which(words[0]) is None:
            failed.append(f"{words[0]} is not installed")
            continue
        print("$", " ".join(words), flush=True)
        if subprocess.run(words, cwd=folder, check=False).returncode:
            failed.append(f"{words[0]} {words[1]} found something, or could not ask")
    print("; ".join(failed) + "." if failed else "Nothing known.", file=sys.stderr if failed else sys.stdout)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
