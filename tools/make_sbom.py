"""Write a bill of materials (CycloneDX 1.6, JSON): what Atypia stands on, and what of others it carries.

    python tools/make_sbom.py -o atypia.cdx.json

It lists every pinned Python package with the SHA-256 of its files and what asks for it (base: required;
extras: optional; dev: excluded), every npm package of the page's lock (in the page: required; else excluded),
and the weights that are shipped. Licences are those that tools/check_licences.py reads. Nothing is asked of a
network. The same tree and the same SOURCE_DATE_EPOCH give the same bytes. What is written was checked against
the schema of CycloneDX first.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from check_licences import check_python
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from dependencies import (
    PROJECT,
    ROOT,
    Package,
    Pin,
    read_bundled,
    read_packages,
    read_pins,
    shipped_files,
)
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HASHED = ("requirements.txt", "page/package-lock.json", "pyproject.toml", "tools/licences.toml")


def make_bom(moment: datetime) -> Bom:
    """Return the bill of materials of this tree."""
    table = PROJECT["project"]
    itself = Component(
        name=table["name"],
        version=table["version"],
        type=ComponentType.APPLICATION,
        description=table["description"],
        licenses=_licences(table["license"]),
        bom_ref="atypia",
        purl=PackageURL("pypi", name=table["name"], version=table["version"]),
    )
    licences, _ = check_python()
    python = [_of_pin(pin, *licences.get(pin.name, ("", {"dev"}))) for pin in read_pins()]
    bundled = set(read_bundled())
    npm = [_of_package(package, (package.name, package.version) in bundled) for package in read_packages()]
    weights = [_of_weights(path, told["licence"]) for path, told in shipped_files() if told.get("weights")]
    bom = Bom(
        metadata=BomMetaData(component=itself, timestamp=moment),
        components=[*python, *npm, *weights],
        serial_number=uuid5(NAMESPACE_URL, f"atypia:{_digest_of_sources()}:{moment.isoformat()}"),
    )
    direct = _direct()
    used = [part for part in python if part.name in direct]
    used += [part for part in npm if part.scope is ComponentScope.REQUIRED] + weights
    bom.register_dependency(itself, used)
    return bom


def _of_pin(pin: Pin, licence: str, groups: set[str]) -> Component:
    scope = ComponentScope.OPTIONAL
    if groups & {"base", "dev"}:
        scope = ComponentScope.REQUIRED if "base" in groups else ComponentScope.EXCLUDED
    purl = PackageURL("pypi", name=pin.name, version=pin.version)
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(str(purl)),
        comment="The hashes of every file of this version that may be installed.",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in pin.hashes],
    )
    marker = (
        [Property(name="atypia:marker", value=str(pin.requirement.marker))] if pin.requirement.marker else []
    )
    return Component(
        name=pin.name,
        version=pin.version,
        scope=scope,
        licenses=_licences(licence),
        purl=purl,
        bom_ref=str(purl),
        external_references=[files],
        properties=[
            *(Property(name="atypia:asked-for-by", value=group) for group in sorted(groups)),
            *marker,
        ],
    )


def _of_package(package: Package, bundled: bool) -> Component:
    space, _, name = package.name.rpartition("/")
    purl = PackageURL("npm", namespace=space or None, name=name, version=package.version)
    return Component(
        group=space or None,
        name=name,
        version=package.version,
        scope=ComponentScope.REQUIRED if bundled else ComponentScope.EXCLUDED,
        licenses=_licences(package.licence or ""),
        purl=purl,
        bom_ref=str(purl),
        hashes=[HashType(alg=HashAlgorithm.SHA_512, content=package.sha512)],
    )


def _of_weights(path: Path, licence: str) -> Component:
    name = path.relative_to(ROOT / "src").as_posix()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Component(
        name=name,
        version=PROJECT["project"]["version"],
        type=ComponentType.MACHINE_LEARNING_MODEL,
        description="Weights in the package; NOTICE tells where they come from.",
        licenses=_licences(licence),
        bom_ref=f"weights:{name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
    )


def _licences(expression: str) -> Iterable[License]:
    if not expression:
        return []
    declared = LicenseAcknowledgement.DECLARED
    return [LicenseFactory().make_from_string(expression, license_acknowledgement=declared)]


def _direct() -> set[str]:
    table = PROJECT["project"]
    lists = [table["dependencies"], *table["optional-dependencies"].values()]
    return {canonicalize_name(Requirement(line).name) for lines in lists for line in lines}


def _digest_of_sources() -> str:
    files = [ROOT / name for name in HASHED] + [path for path, told in shipped_files() if told.get("weights")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def written(bom: Bom) -> str:
    """Return the document, checked; raises SystemExit where the schema is not met."""
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SystemExit(f"Expected a document of CycloneDX 1.6, received: {wrong}")
    return text + "\n"


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the file to write")
    target: Path = parser.parse_args().output
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC).replace(microsecond=0)
    bom = make_bom(moment)
    target.write_text(written(bom), encoding="utf-8")
    print(f"{len(bom.components)} components in {target}")


if __name__ == "__main__":
    main()
