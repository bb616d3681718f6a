"""``winnow track``."""

import sys

from pipeline.cli_options import DEFAULTS, Options, console
from pipeline.tracking import track_all, tracking_uri


def track(*, options: Options = DEFAULTS) -> None:
    """Log every complete run that MLflow does not know yet, and the champion.

    Parameters
    ----------
    options : Options
        Workspace and settings.
    """
    project = options.project()
    done = track_all(project)
    console.print(f"{len(done.logged)} logged, {len(done.present)} logged before")
    console.print(f"mlflow ui --backend-store-uri {tracking_uri(project)}")
    if done.failure:
        sys.exit(1)
