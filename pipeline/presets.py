"""The published settings in ``configs/``, which an installed Winnow carries as ``presets``."""

from pathlib import Path

_HERE = Path(__file__).parent


def presets_folder() -> Path:
    """Find the published settings.

    Returns
    -------
    Path
        ``configs`` of the source tree, or its copy in an installed package.
    """
    installed = _HERE / "presets"
    return installed if installed.is_dir() else _HERE.parent / "configs"


def find_preset(model: str, collection: str) -> Path | None:
    """Find the published settings of a model for a data set.

    Parameters
    ----------
    model : str
        Registered name, such as ``mind``.
    collection : str
        Such as ``mosi``.

    Returns
    -------
    Path or None
        A YAML file; None if there are none.
    """
    path = presets_folder() / f"{model}_{collection}.yaml"
    return path if path.is_file() else None


def models_with_presets(collection: str) -> tuple[str, ...]:
    """List the models with published settings for a data set.

    Parameters
    ----------
    collection : str
        Such as ``mosi``.

    Returns
    -------
    tuple of str
        Registered names, sorted.
    """
    ending = f"_{collection}.yaml"
    found = presets_folder().glob(f"*{ending}")
    return tuple(sorted(path.name.removesuffix(ending) for path in found))
