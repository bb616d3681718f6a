"""What can go wrong in the pipeline.

::

    PipelineError
    ├── ConfigError           a run's description is not valid
    ├── SourceError           a folder, transcript or label file cannot be used
    ├── StoreError            the feature store or another stored file is damaged
    ├── WorkspaceError        another run is at work in the workspace, or its disk is full
    ├── DataError             the data cannot be packed, split or trained on
    └── RunError              a run is unknown, incomplete or does not fit the data

``extractors.errors.ExtractorError`` and ``models.errors.ModelError`` are roots of their own.
A clip's failure is not an exception but a :class:`pipeline.records.Failure`.
"""


class PipelineError(Exception):
    """Root of all errors raised by ``pipeline``.

    Parameters
    ----------
    message : str
        Which item, what was asked, what is there, what to do.
    code : str, optional
        Short machine-readable reason; the class's own ``default_code`` without it.
    """

    default_code = "pipeline_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code or self.default_code


class ConfigError(PipelineError):
    """A run's description is not valid."""

    default_code = "bad_config"


class SourceError(PipelineError):
    """A folder, transcript or label file cannot be used."""

    default_code = "bad_source"


class StoreError(PipelineError):
    """The feature store, or another stored file, is damaged."""

    default_code = "damaged_store"


class WorkspaceError(PipelineError):
    """The workspace cannot be written: another run is at work in it, or its disk is full."""

    default_code = "bad_workspace"


class DataError(PipelineError):
    """The data cannot be packed, split or trained on."""

    default_code = "bad_data"


class RunError(PipelineError):
    """A run is unknown, incomplete, or does not fit the data."""

    default_code = "bad_run"
