"""The workflows: least permissions, actions pinned by commit, nothing that a stranger's change could use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
FROM_OUTSIDE = re.compile(r"\$\{\{\s*github\.(event|head_ref|ref_name|ref\b)")

if not FILES:
    pytest.skip("not a clone: the workflows are not in what is handed out", allow_module_level=True)


def read(path: Path) -> dict[Any, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{path.name}:{name}", job) for path in FILES for name, job in read(path)["jobs"].items()]


def named(path: Path) -> str:
    return path.name


def test_there_are_three() -> None:
    assert [path.stem for path in FILES] == ["ci", "codeql", "release"]


@pytest.mark.parametrize("path", FILES, ids=named)
def test_the_default_permission_is_to_read_at_most(path: Path) -> None:
    assert read(path)["permissions"] in ({}, {"contents": "read"})


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_change_of_a_stranger_runs_with_rights(path: Path) -> None:
    triggers = read(path)[True]  # YAML 1.1 takes the key `on` for true
    assert {"pull_request_target", "workflow_run", "issue_comment"}.isdisjoint(triggers)
    text = path.read_text(encoding="utf-8")
    assert "secrets." not in text
    assert "self-hosted" not in text


@pytest.mark.parametrize("path", FILES, ids=named)
def test_actions_are_pinned_by_commit_with_the_version_beside(path: Path) -> None:
    uses = [line.strip(" -") for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert uses
    assert [line for line in uses if not PINNED.match(line)] == []


def test_one_action_has_one_pin() -> None:
    pins: dict[str, set[str]] = {}
    for path in FILES:
        for action, pin in re.findall(r"uses: ([\w./-]+)@(.+)", path.read_text(encoding="utf-8")):
            pins.setdefault("/".join(action.split("/")[:2]), set()).add(pin)
    assert {action: found for action, found in pins.items() if len(found) > 1} == {}


@pytest.mark.parametrize(("name", "job"), jobs(), ids=[name for name, _ in jobs()])
def test_every_job_ends_and_keeps_no_credentials(name: str, job: dict[str, Any]) -> None:
    assert job["timeout-minutes"] <= 120
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False, name
        assert not FROM_OUTSIDE.search(step.get("run", "")), "pass it in by env, where no shell reads it"


def test_only_these_jobs_may_write() -> None:
    writing = {
        name: sorted(right for right, grade in job.get("permissions", {}).items() if grade == "write")
        for name, job in jobs()
    }
    assert {name: rights for name, rights in writing.items() if rights} == {
        "codeql.yml:analyse": ["security-events"],
        "release.yml:attest": ["attestations", "id-token"],
        "release.yml:publish": ["id-token"],
        "release.yml:release": ["contents"],
    }


def test_jobs_that_may_sign_or_publish_run_no_code_of_the_tree() -> None:
    for name, job in jobs():
        if "write" in job.get("permissions", {}).values() and name.startswith("release.yml"):
            actions = [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step]
            assert "actions/checkout" not in actions, name
            commands = [step["run"] for step in job["steps"] if "run" in step]
            assert all(command.startswith("gh release create ") for command in commands), name


def test_the_tests_are_those_of_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    job = read(FOLDER / "ci.yml")["jobs"]["test"]
    run = job["steps"][-1]["run"].replace(" --python ${{ matrix.python }}", "")
    assert run == "pip install uv && uv run pytest"
    assert run in readme
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]


def test_robots_propose_actions_and_the_page_alone() -> None:
    told = read(ROOT / ".github" / "dependabot.yml")
    assert told["version"] == 2
    assert {update["package-ecosystem"]: update["directory"] for update in told["updates"]} == {
        "github-actions": "/",
        "npm": "/page",
    }
    assert all((ROOT / update["directory"].lstrip("/")).is_dir() for update in told["updates"])
