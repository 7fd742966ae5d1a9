"""The examples of deployment: held to a schema, to the command line, and to each other; not run."""

from __future__ import annotations

import copy
import json
import re
import shlex
import tomllib
from pathlib import Path

import jsonschema
import pytest

from atypia.cli.score import score

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
JOB = yaml.safe_load((ROOT / "deploy" / "kuberay.yaml").read_text(encoding="utf-8"))
SCHEMA = json.loads(Path(__file__).with_name("rayjob.schema.json").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_manifest_is_a_ray_job():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(JOB, SCHEMA)


@pytest.mark.parametrize("wrong", ["misspelt", "number", "missing"])
def test_the_schema_notices_what_kuberay_would_refuse(wrong):
    job = copy.deepcopy(JOB)
    (group,) = job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    if wrong == "misspelt":
        group["minReplica"] = 1
    elif wrong == "number":
        group["rayStartParams"]["num-cpus"] = 8
    else:
        del group["template"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job, SCHEMA)


def test_its_command_can_be_typed():
    program, name, *words = shlex.split(JOB["spec"]["entrypoint"])
    assert (program, name) == ("atypia", "score")
    context = score.make_context("score", words)
    assert context.params["engine"] == "ray"
    (group,) = JOB["spec"]["rayClusterSpec"]["workerGroupSpecs"]
    (worker,) = group["template"]["spec"]["containers"]
    cores = int(worker["resources"]["limits"]["cpu"]) * group["replicas"]
    assert context.params["workers"] * context.params["cpus_per_worker"] == cores


def test_all_run_one_image_of_this_version():
    spec = JOB["spec"]
    cluster = spec["rayClusterSpec"]
    templates = [spec["submitterPodTemplate"], cluster["headGroupSpec"]["template"]]
    templates += [group["template"] for group in cluster["workerGroupSpecs"]]
    images = {one["image"] for template in templates for one in template["spec"]["containers"]}
    assert images == {f"atypia:{PROJECT['project']['version']}"}
    assert f"-t {images.pop()} ." in DOCKERFILE
    pins = PROJECT["tool"]["uv"]["constraint-dependencies"]
    assert f"ray=={cluster['rayVersion']}" in [pin.partition(" ")[0] for pin in pins]


def test_the_image_has_a_pinned_base_and_no_root():
    base = re.search(r"^FROM (\S+)$", DOCKERFILE, re.MULTILINE)
    assert base is not None
    assert re.search(r":\d+\.\d+\.\d+-", base[1])
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users
    assert users[-1] not in ("root", "0")
    extras = re.search(r"'\.\[([\w,]+)\]'", DOCKERFILE)
    assert extras is not None
    assert set(extras[1].split(",")) <= set(PROJECT["project"]["optional-dependencies"])
    assert "RAY_USAGE_STATS_ENABLED=0" in DOCKERFILE
    for source in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE):
        assert all((ROOT / name).exists() for name in source.split())
