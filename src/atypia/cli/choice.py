"""What the options of `fit` ask for, as a Screener that is ready to learn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atypia.cli.rule import parameter_of
from atypia.cli.settings import recipe_of
from atypia.errors import BadOption, MissingExtra

if TYPE_CHECKING:
    from atypia.detectors import Detector
    from atypia.preparation import Preparation
    from atypia.screener import Screener

TRAINED = "autoencoder"
UNTRAINED = "nearest"


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

    def screener(self) -> Screener:
        """Return the Screener to fit.

        Raises BadOption for options that contradict each other, MissingExtra where a network is to be
        trained without Keras, WeightsError for weights that are named and missing.
        """
        from atypia.screener import Screener

        parameter = parameter_of(self.rule, self.parameter, self.fpr)
        fitness = not self.no_fitness_check
        return Screener(self._detector(), self._preparation(), self.rule, parameter, self.strata, fitness)

    def told(self) -> str:
        """Return one line that says what will be fitted, and why where it was not asked for."""
        trained = self.name == TRAINED
        detector = f"detector {self.name}" + (f" (recipe {self._recipe_name})" if trained else "")
        if self.detector is None and not trained:
            detector += ' (the autoencoder needs pip install "atypia[train]")'
        return f"{detector}, encoder {self.resolved_encoder}{self._why_encoder()}"

    @property
    def name(self) -> str:
        """The detector: the one that was asked for, else the one that suits what is installed."""
        from atypia.keras_backend import available

        if self.detector is not None:
            return self.detector
        return TRAINED if available() or self._asks_for_training() else UNTRAINED

    @property
    def resolved_encoder(self) -> str:
        """The encoder that `auto` stands for here."""
        from atypia.encoders import resolve_encoder

        return resolve_encoder(self.encoder, self.weights)

    @property
    def _recipe_name(self) -> str:
        return self.recipe or "autoencoder"

    def _asks_for_training(self) -> list[str]:
        asked = {
            "--recipe": self.recipe,
            "--set": self.settings,
            "--epochs": self.epochs,
            "--learning-rate": self.learning_rate,
            "--validation": self.validation,
            "--resume": self.resume,
        }
        return [option for option, value in asked.items() if value]

    def _detector(self) -> Detector:
        from atypia.detectors import Autoencoder, Nearest
        from atypia.keras_backend import available

        encoder = self.resolved_encoder
        if self.name == UNTRAINED:
            if asked := self._asks_for_training():
                raise BadOption(
                    f"The detector {UNTRAINED} trains no network: leave out {', '.join(asked)}, "
                    f"or choose --detector {TRAINED}."
                )
            return Nearest(encoder, self.weights, self.threads)
        recipe = recipe_of(
            self._recipe_name,
            self.settings,
            encoder=encoder,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
        )
        if not available():
            raise MissingExtra("Training an autoencoder", "train")
        return Autoencoder(recipe, self.weights, self.threads)

    def _preparation(self) -> Preparation:
        from atypia.preparation import Preparation

        if self.name == TRAINED and self.recipe == "reference":
            return Preparation(self.size, crop=bool(self.crop), aspect="stretch", intensity="range")
        return Preparation(self.size, crop=self.crop is not False)

    def _why_encoder(self) -> str:
        if self.encoder != "auto":
            return ""
        if self.resolved_encoder != "resnet50":
            return " (auto: the weights of ResNet50 are not on this machine)"
        return (
            " (auto: its weights were named)" if self.weights else " (auto: its weights are on this machine)"
        )
