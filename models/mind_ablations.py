"""The ablations of MInD's Table 2, by name.

=====================  ============================================================================
name                   what differs from the full model
=====================  ============================================================================
``without_vision``     the modality is nowhere: no encoders, no terms, narrower fusion
``without_audio``      the same
``without_text``       the same
``without_shared``     S is zeros at the fusion's input ("muting"), all losses kept
``without_private``    the same of P
``nondisentangled``    Z of all modalities is fused; the task is the only term
``without_<term>``     weight 0 for ``info``, ``consistency``, ``difference``, ``reconstruction``,
                       ``cyclic`` or ``noise_prediction``; everything is built all the same
``task_only``          weight 0 for all six
=====================  ============================================================================

Where the paper is silent: what "without" a part means (``mute_mode: remove`` leaves the part out of
everything instead). A weight of 0 keeps the random numbers of the full model.
"""

from dataclasses import dataclass, field
from typing import Any

from models.batch import MODALITIES
from models.mind_config import MInDConfig


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """What one row of the table changes.

    Parameters
    ----------
    settings : dict
        Those of :class:`models.mind_config.MInDConfig` that differ, to be added to any preset's.
    modalities : tuple of str
        What the model is built for.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    modalities: tuple[str, ...] = MODALITIES


_TERMS = tuple(MInDConfig().term_weights)

#: Name to ablation, 13 in the order of Table 2.
ABLATIONS: dict[str, Ablation] = {
    **{
        f"without_{name}": Ablation(modalities=tuple(m for m in MODALITIES if m != name))
        for name in ("vision", "audio", "text")
    },
    "without_shared": Ablation(settings={"muted": "S"}),
    "without_private": Ablation(settings={"muted": "P"}),
    "nondisentangled": Ablation(settings={"disentangle": False}),
    **{f"without_{term}": Ablation(settings={f"{term}_weight": 0.0}) for term in _TERMS},
    "task_only": Ablation(settings={f"{term}_weight": 0.0 for term in _TERMS}),
}
