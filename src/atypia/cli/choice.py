"""What the options of `fit` ask for, as a Screener that is ready to learn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atypia.cli.rule import parameter_of
from atypia.cli.settings import detector_settings, recipe_of
from atypia.errors import BadOption, MissingExtra

if TYPE_CHECKING:
    from atypia.detectors import Detector
    from atypia.preparation import Preparation
    from atypia.screener import Screener

AUTOENCODER, ENSEMBLE, UNTRAINED = "autoencoder", "ensemble", "nearest"
NAMES = {
    "ensemble": "the default: lesion-simulation, denoising, patchcore, nearest and atlas, combined",
    "lesion-simulation": "a network that has learned to find simulated lesions; locates best",
    "nearest": "nearest healthy neighbours of pretrained features; trains no network",
    "autoencoder": "rebuilds features from a narrow code; the recipe 'reference' is the published system",
    "pretrained-synthetic": "comes with Atypia, trained on synthetic heads; only its threshold is fitted",
    "atlas": "departure from the most alike healthy scans and from the other side; trains nothing, seconds",
    "patchcore": "nearest healthy patches of pretrained features, near the same place",
    "gaussian": "a Gaussian of pretrained features at each place",
    "feature-autoencoder": "a convolutional autoencoder of pretrained features",
    "reverse-distillation": "a student that rebuilds a pretrained encoder's layers from one code",
    "denoising": "a network that takes coarse noise out of healthy scans",
    "restoration": "a network that undoes corruption of many kinds; shows a pseudo-healthy picture",
    "asymmetry": "baseline: how much brighter one side is than the other",
    "intensity": "baseline: how bright the brain is at its brightest",
}
"""Every detector in a line, the best first."""
TRAINED = {
    "autoencoder",
    "lesion-simulation",
    "feature-autoencoder",
    "reverse-distillation",
    "denoising",
    "restoration",
}
"""Those that train a network."""


@dataclass(frozen=True)
class FitChoice:
    """The choices of `fit`; None leaves one to what is installed, or to the recipe.

    `name` is the detector's, `encoder` the encoder's, once made up from what is on this machine.
    """

    detector: str | None
    recipe: str | None
    settings: tuple[str, ...]
    epochs: int | None
    learning_rate: float | None
    encoder: str
    weights: Path | None
    rule: str
    parameter: float | None
    size: int
    crop: bool | None
    threads: int | None
    validation: bool = False
    resume: bool = False
    fpr: float | None = None
    strata: tuple[str, ...] = ()
    no_fitness_check: bool = False
    by_position: bool | None = None

    def screener(self) -> Screener:
        """Return the Screener to fit.

        Raises BadOption for options that contradict each other, MissingExtra where a network is to be
        trained without Keras, WeightsError for weights that are named and missing.
        """
        from atypia.screener import Screener

        parameter = parameter_of(self.rule, self.parameter, self.fpr)
        fitness = not self.no_fitness_check
        return Screener(
            self._detector(),
            self._preparation(),
            self.rule,
            parameter,
            self.strata,
            fitness,
            self.by_position,
        )

    def told(self) -> str:
        """Return one line that says what will be fitted, and why where it was not asked for."""
        from atypia.detectors.making import uses_encoder

        detector = f"detector {self.name}"
        if self.name == AUTOENCODER:
            detector += f" (recipe {self._recipe_name})"
        if self.name == ENSEMBLE:
            detector += f" ({', '.join(self._members)})"
        if self.detector is None and self.name == UNTRAINED:
            detector += f' (the {ENSEMBLE} needs pip install "atypia[train]")'
        if not uses_encoder(self.name, self._members):
            return detector
        return f"{detector}, encoder {self.resolved_encoder}{self._why_encoder()}"

    @property
    def name(self) -> str:
        """The detector: the one that was asked for, else the one that suits what is asked and installed."""
        from atypia.keras_backend import available

        if self.detector is not None:
            return self.detector
        if self.recipe or self.epochs or self.learning_rate or self.validation:
            return AUTOENCODER
        return ENSEMBLE if available() or self.settings or self.resume else UNTRAINED

    @property
    def resolved_encoder(self) -> str:
        """The encoder that `auto` stands for here."""
        from atypia.encoders import resolve_encoder

        return resolve_encoder(self.encoder, self.weights)

    @property
    def _recipe_name(self) -> str:
        return self.recipe or "autoencoder"

    @property
    def _members(self) -> tuple[str, ...]:
        """The members of the ensemble: those of `--set members=`, or the usual ones."""
        from atypia.detectors.making import MEMBERS

        asked = [
            text for key, _, text in (s.partition("=") for s in self.settings) if key.strip() == "members"
        ]
        return tuple(word.strip() for word in asked[-1].split(",") if word.strip()) if asked else MEMBERS

    def _detector(self) -> Detector:
        from atypia.detectors.making import make_detector
        from atypia.keras_backend import available

        if self.name == AUTOENCODER:
            return self._autoencoder()
        of_the_autoencoder = {
            "--recipe": self.recipe,
            "--epochs": self.epochs,
            "--learning-rate": self.learning_rate,
            "--validation": self.validation,
        }
        if asked := [option for option, value in of_the_autoencoder.items() if value]:
            raise BadOption(
                f"Of the detectors only {AUTOENCODER} takes {', '.join(asked)}; {self.name} has settings of "
                f"its own, for --set."
            )
        if {self.name, *(self._members if self.name == ENSEMBLE else ())} & TRAINED and not available():
            raise MissingExtra(f"Training for the detector {self.name}", "train")
        own, of_members = self._settings()
        settings = detector_settings(self.name, own)
        settings_of_members = {name: detector_settings(name, given) for name, given in of_members.items()}
        if any(given.get("adapt") for given in (settings, *settings_of_members.values())) and not available():
            raise MissingExtra("Adapting an encoder", "train")
        return make_detector(
            self.name,
            encoder=self.resolved_encoder,
            weights=self.weights,
            threads=self.threads,
            settings=settings,
            members=self._members,
            of_members=settings_of_members,
        )

    def _settings(self) -> tuple[list[str], dict[str, list[str]]]:
        """Return the detector's own settings, and those of the ensemble's members, MEMBER.NAME=VALUE."""
        own: list[str] = []
        of_members: dict[str, list[str]] = {}
        for setting in self.settings:
            key, _, value = setting.partition("=")
            member, dot, name = key.strip().partition(".")
            if dot and self.name == ENSEMBLE and member in self._members:
                of_members.setdefault(member, []).append(f"{name}={value}")
            elif key.strip() != "members" or self.name != ENSEMBLE:
                own.append(setting)
        return own, of_members

    def _autoencoder(self) -> Detector:
        from atypia.detectors import Autoencoder
        from atypia.keras_backend import available

        recipe = recipe_of(
            self._recipe_name,
            self.settings,
            encoder=self.resolved_encoder,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
        )
        if not available():
            raise MissingExtra("Training an autoencoder", "train")
        return Autoencoder(recipe, self.weights, self.threads)

    def _preparation(self) -> Preparation:
        from atypia.preparation import Preparation

        if self.name == AUTOENCODER and self.recipe == "reference":
            crop = bool(self.crop)
            return Preparation(self.size, crop=crop, aspect="stretch", intensity="range", upright=False)
        return Preparation(self.size, crop=self.crop is not False)

    def _why_encoder(self) -> str:
        if self.encoder != "auto":
            return ""
        if self.resolved_encoder != "resnet50":
            return " (auto: the weights of ResNet50 are not on this machine)"
        return (
            " (auto: its weights were named)" if self.weights else " (auto: its weights are on this machine)"
        )
