"""The network as something that Keras can train: its loss, named part by part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from atypia.keras_backend import keras
from atypia.networks import losses
from atypia.networks.acceleration import compiled
from atypia.networks.network import Network
from atypia.networks.recipe import Recipe
from atypia.networks.training import Plan


def make_reconstructor(network: Network, recipe: Recipe, inputs: list[Any]) -> Any:
    """Return a compiled Keras model `inputs -> reconstruction` whose loss follows the recipe.

    Its attribute `kl_now` is the weight of the Kullback-Leibler term, which `plan_of` anneals.
    Metrics: `loss`, `pixels` (mean squared error), and `features`, `ssim` or `kl` where they apply.
    """
    k = keras()

    class Reconstructor(k.Model):  # type: ignore[misc, name-defined]
        """The network with its loss."""

        def __init__(self) -> None:
            super().__init__(inputs, _outputs(network))
            self.kl_now = self.add_weight(shape=(), initializer="zeros", trainable=False, name="kl_now")
            self.parts = {name: k.metrics.Mean(name=name) for name in part_names(recipe)}

        def compute_loss(
            self,
            x: Any = None,
            y: Any = None,
            y_pred: Any = None,
            sample_weight: Any = None,
            training: bool = True,
        ) -> Any:
            del x, sample_weight, training
            parts = _parts(k.ops.convert_to_tensor(y), y_pred, recipe)
            for name, value in parts.items():
                self.parts[name].update_state(value)
            total = sum(
                value for name, value in parts.items() if name != "kl" and not _only_told(name, recipe)
            )
            return total + self.kl_now * parts["kl"] if "kl" in parts else total

    model = Reconstructor()
    optimizer = k.optimizers.AdamW if recipe.weight_decay else k.optimizers.Adam
    options = {"weight_decay": recipe.weight_decay} if recipe.weight_decay else {}
    rate = recipe.learning_rate * (0.1 if recipe.fine_tune else 1.0)
    return compiled(model, optimizer(rate, **options))


def plan_of(recipe: Recipe, model: Any, seed: int, checkpoint: Path, resume: bool = False) -> Plan:
    """Return how a reconstructor is trained after its recipe."""

    def anneal(epoch: int) -> None:
        model.kl_now.assign(recipe.kl_weight * min(1.0, (epoch + 1) / max(1, recipe.kl_anneal)))

    return Plan(
        settings={name: value for name, value in recipe.to_dict().items() if name != "epochs"},
        seed=seed,
        checkpoint=checkpoint,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        epoch_size=recipe.epoch_size,
        views=recipe.augment + 1,
        resume=resume,
        before_epoch=anneal,
    )


def part_names(recipe: Recipe) -> list[str]:
    """Return the names of the parts of this recipe's loss."""
    names = ["pixels"]
    if recipe.loss != "mse":
        names.append(recipe.loss)
    return [*names, "kl"] if recipe.variational else names


def _only_told(name: str, recipe: Recipe) -> bool:
    """With the SSIM loss the squared error is reported and not minimised."""
    return name == "pixels" and recipe.loss == "ssim"


def _outputs(network: Network) -> dict[str, Any]:
    outputs = {"reconstruction": network.reconstruction}
    if network.expected is not None:
        outputs |= {"components": network.components, "expected": network.expected}
    if network.code_log_variance is not None:
        outputs |= {"mean": network.code_mean, "log_variance": network.code_log_variance}
    return outputs


def _parts(truth: Any, predicted: dict[str, Any], recipe: Recipe) -> dict[str, Any]:
    ops = keras().ops
    error = truth - predicted["reconstruction"]
    parts = {"pixels": ops.mean(error * error)}
    if recipe.loss == "ssim":
        parts["ssim"] = ops.mean(losses.ssim_error(truth, predicted["reconstruction"]))
    if recipe.loss == "features":
        parts["features"] = ops.mean(losses.cosine_error(predicted["components"], predicted["expected"]))
    if recipe.variational:
        parts["kl"] = losses.kl_divergence(predicted["mean"], predicted["log_variance"])
    return parts
