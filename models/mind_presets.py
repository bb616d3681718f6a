"""Named sets of defaults of MInD.

=======================  =================  ====================  ===========================
setting                  author             paper                 strong (ours)
=======================  =================  ====================  ===========================
source                   the authors' code  the paper's text      neither: our own method
reduction                mean               sum                   mean
loss weights             as in the code     converted to sums     own
consistency              Barlow Twins       Barlow Twins          InfoNCE
barlow_off_diagonal      1/d                d                     not used
share_noise_statistics   no                 yes                   no noise
share_decoders           no                 yes                   no
code_encoder             perceptron         linear                bottleneck
shared_width             width              width                 8
private_width            width              width                 16
difference_kernel        linear             linear                rbf, normalised, warmed up
difference_pairs         all                all                   shared_private
targets rebuilt          with gradient      with gradient         detached
noise_source             gaussian           gaussian              none
=======================  =================  ====================  ===========================

``author`` is the default. That the paper names d as the off-diagonal weight is probably an erratum:
the note which it cites has 1/d. The paper has one lambda for L_Recon and L_CyR.

``strong`` is **not MInD as published**. Its shared codes are narrow, so that only what the
modalities have in common is worth its place; InfoNCE asks that they tell clips apart, which Barlow
Twins does not; the difference term has no scale, so that small activations do not lower it; private
codes must rebuild what the shared ones leave; and noise, which knows nothing of the clip, is left
out.
"""

from typing import Any, Literal

Preset = Literal["author", "paper", "strong"]

_AUTHOR: dict[str, Any] = {
    "code_encoder": "perceptron",
    "encoder_dropout": 0.35,
    "shared_width": None,
    "private_width": None,
    "noise_source": "gaussian",
    "reduction": "mean",
    "noise_prediction_weight": 1.0,
    "info_weight": 1e-2,
    "consistency_weight": 1e-4,
    "difference_weight": 1e-3,
    "reconstruction_weight": 0.1,
    "cyclic_weight": 0.1,
    "consistency": "barlow_twins",
    "barlow_off_diagonal": "inverse_width",
    "difference_kernel": "linear",
    "difference_normalised": False,
    "difference_pairs": "all",
    "difference_warm_up": 0.0,
    "detach_reconstruction": False,
    "detach_cyclic": False,
    "share_noise_statistics": False,
    "share_decoders": False,
}

#: Preset to every setting that has no default of its own; None is the backbones' width.
PRESETS: dict[Preset, dict[str, Any]] = {
    "author": _AUTHOR,
    "paper": _AUTHOR
    | {
        "code_encoder": "linear",
        "reduction": "sum",
        "info_weight": 1e-2 / 3,
        "consistency_weight": 1e-4 / 3,
        "difference_weight": 1e-3 / 12,
        "reconstruction_weight": 0.1 / 3,
        "cyclic_weight": 0.1 / 3,
        "barlow_off_diagonal": "width",
        "share_noise_statistics": True,
        "share_decoders": True,
    },
    "strong": _AUTHOR
    | {
        "code_encoder": "bottleneck",
        "encoder_dropout": 0.0,
        "shared_width": 8,
        "private_width": 16,
        "noise_source": "none",
        "info_weight": 0.0,
        "consistency": "info_nce",
        "consistency_weight": 0.3,
        "difference_kernel": "rbf",
        "difference_normalised": True,
        "difference_pairs": "shared_private",
        "difference_warm_up": 0.2,
        "difference_weight": 0.5,
        "reconstruction_weight": 5.0,
        "detach_reconstruction": True,
        "detach_cyclic": True,
    },
}
