"""Where inside of an epoch a training is, to the bit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from pipeline.checkpoint import subset


@dataclass(kw_only=True, eq=False)
class EpochPosition:
    """What is done of an epoch.

    Parameters
    ----------
    steps : int
        Steps of the optimiser that are done.
    sums : dict of str to Tensor
        Losses of the batches seen, scalars.
    weights : dict of str to float
        Weights of the loss's terms.
    gradient_norms : dict of str to float
        By term; empty where they are not measured.
    seconds : float
        Wall-clock time spent.
    generators : dict of str to Tensor of uint8
        States of torch's global generators, by type of device; empty at the epoch's start.
    """

    steps: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    gradient_norms: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    generators: dict[str, Tensor] = field(default_factory=dict)

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add to the sums.

        Parameters
        ----------
        values : mapping of str to Tensor
            Scalars; a name that is new starts from 0.
        """
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(value)) + value

    def store_generators(self, device: torch.device) -> None:
        """Take down the states of torch's global generators.

        Parameters
        ----------
        device : torch.device
            Whose, besides the CPU's.
        """
        self.generators = {"cpu": torch.get_rng_state()}
        if device.type == "cuda":
            self.generators["cuda"] = torch.cuda.get_rng_state(device)

    def restore_generators(self, device: torch.device) -> None:
        """Put the generators back into the states that were taken down, if any were.

        Parameters
        ----------
        device : torch.device
            As for :meth:`store_generators`.
        """
        if "cpu" in self.generators:
            torch.set_rng_state(self.generators["cpu"])
        if "cuda" in self.generators and device.type == "cuda":
            torch.cuda.set_rng_state(self.generators["cuda"], device)

    def as_plain(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Divide into what a file of tensors holds.

        Returns
        -------
        tensors : dict of str to Tensor
            Sums and generators.
        values : dict
            The rest, plain JSON values.
        """
        tensors = {f"sums/{name}": value for name, value in self.sums.items()}
        tensors |= {f"generators/{name}": value for name, value in self.generators.items()}
        values = {
            "steps": self.steps,
            "weights": self.weights,
            "gradient_norms": self.gradient_norms,
            "seconds": self.seconds,
        }
        return tensors, values

    @classmethod
    def from_plain(
        cls, tensors: Mapping[str, Tensor], values: Mapping[str, Any]
    ) -> "EpochPosition":
        """Put together what :meth:`as_plain` divided.

        Parameters
        ----------
        tensors : mapping of str to Tensor
            Sums and generators.
        values : mapping
            The rest.

        Returns
        -------
        EpochPosition
            As it was, on the CPU.

        Raises
        ------
        KeyError
            If something is missing.
        """
        return cls(
            steps=values["steps"],
            sums=subset(tensors, "sums"),
            weights=dict(values["weights"]),
            gradient_norms=dict(values["gradient_norms"]),
            seconds=values["seconds"],
            generators=subset(tensors, "generators"),
        )
