"""A recipe: all that makes one reconstructing network, its training and its score differ from another."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self, get_args

from atypia.errors import BadOption, CorruptArtefact

Loss = Literal["mse", "ssim", "features"]
Score = Literal["mse", "relative", "ssim", "features"]
Region = Literal["image", "foreground"]
Bottleneck = Literal["dense", "conv"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "loss": get_args(Loss),
    "score": get_args(Score),
    "region": get_args(Region),
    "bottleneck": get_args(Bottleneck),
}
_LOWEST = {
    "scales": 1,
    "whiten": 0,
    "extra_layers": 0,
    "kl_weight": 0,
    "kl_anneal": 0,
    "epochs": 1,
    "batch_size": 1,
    "weight_decay": 0,
    "augment": 0,
    "epoch_size": 0,
    "smoothing": 0,
}


@dataclass(frozen=True)
class Recipe:
    """One configurable network: encoder features -> bottleneck -> transposed convolutions -> picture.

    What it reads
        `encoder`, and its layers: the deepest `scales` of those it is cut at, or `cut` by name.
        `fine_tune`: train the encoder as well, at a tenth of `learning_rate`.
    Shape
        `whiten`: principal directions of each layer's healthy features that are kept, scaled to unit
        variance, as what the bottleneck reads; 0 hands it the raw features.
        `bottleneck`, `code`: dense layers down to the code, or one convolution to so many channels.
        `decoder`: channels of the picture's stages, coarsest first; `extra_layers` convolutions in each.
        `batch_norm`, `variational`.
    Loss
        `loss`: what is minimised. `features` adds, to the picture's squared error, the cosine distance
        between the whitened features and those decoded from the same code.
        `kl_weight`, `kl_anneal`: weight of the Kullback-Leibler term, reached linearly in so many epochs.
    Training
        `epochs`, `batch_size`, `learning_rate`, `weight_decay`, `dropout`, `augment` (number of altered
        copies of each scan; 0 is none), `epoch_size` (scans drawn anew for each epoch; 0 takes all).
    Score
        `score`: per-pixel error; `relative` divides it by the variance of the scan inside the region,
        so that 1 means that nothing was explained. `region`: where the error is averaged.
        `top`: share of the region's highest errors that is averaged; 1 is the plain mean.
        `smoothing`: standard deviation, in prepared pixels, of the Gaussian that smooths the map.
    """

    encoder: str = "auto"
    scales: int = 2
    cut: tuple[str, ...] = ()
    fine_tune: bool = False
    whiten: int = 64
    bottleneck: Bottleneck = "dense"
    code: tuple[int, ...] = (64,)
    decoder: tuple[int, ...] = (128, 128, 64, 32, 16)
    extra_layers: int = 0
    batch_norm: bool = True
    variational: bool = False
    loss: Loss = "features"
    kl_weight: float = 1e-5
    kl_anneal: int = 20
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    dropout: float = 0.0
    augment: int = 2
    epoch_size: int = 0
    score: Score = "features"
    region: Region = "foreground"
    top: float = 0.05
    smoothing: float = 2.0

    def __post_init__(self) -> None:
        for name, lowest in _LOWEST.items():
            if not getattr(self, name) >= lowest:
                raise BadOption(f"Expected {name} of at least {lowest}; received {getattr(self, name)}.")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                told = f"Expected {name} out of {', '.join(choices)}"
                raise BadOption(f"{told}; received {getattr(self, name)!r}.")
        for name in ("code", "decoder"):
            widths = getattr(self, name)
            if not widths or min(widths) < 1:
                raise BadOption(f"Expected {name} as one or more widths above 0; received {widths}.")
        if not self.learning_rate > 0:
            raise BadOption(f"Expected learning_rate above 0; received {self.learning_rate}.")
        if not 0 <= self.dropout < 1:
            raise BadOption(f"Expected dropout in [0, 1); received {self.dropout}.")
        if not 0 < self.top <= 1:
            raise BadOption(f"Expected top in (0, 1]; received {self.top}.")
        self._check_features()

    def _check_features(self) -> None:
        if self.score == "features" and self.loss != "features":
            raise BadOption("The score 'features' needs the loss 'features', which decodes them.")
        if self.loss == "features" and not self.whiten:
            raise BadOption("The loss 'features' needs whitened features: give 'whiten' above 0.")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild from `to_dict`; raise CorruptArtefact on what no recipe has."""
        known = {item.name for item in fields(cls)}
        if unknown := set(values) - known:
            raise CorruptArtefact(f"Not a network recipe: unknown {', '.join(sorted(unknown))}.")
        given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        try:
            return cls(**given)
        except (BadOption, TypeError) as error:
            raise CorruptArtefact(f"Not a network recipe: {error}") from error


REFERENCE = Recipe(
    scales=1,
    whiten=0,
    code=(256, 128),
    decoder=(256, 128, 64, 32, 16),
    batch_norm=False,
    loss="mse",
    epochs=80,
    batch_size=64,
    augment=0,
    score="mse",
    region="image",
    top=1.0,
)
SHIPPED = Recipe()

RECIPES: dict[str, Recipe] = {
    "reference": REFERENCE,
    "autoencoder": SHIPPED,
    "vae": replace(SHIPPED, variational=True),
    "batch-norm": replace(REFERENCE, batch_norm=True),
    "deeper": replace(REFERENCE, extra_layers=1),
    "small-bottleneck": replace(REFERENCE, code=(32,)),
    "conv-bottleneck": replace(SHIPPED, bottleneck="conv", code=(8,)),
    "ssim": replace(REFERENCE, loss="ssim", score="ssim"),
}
"""Name -> a ready recipe. `reference` is the published system; `autoencoder` is what ships."""
