"""What can go wrong between a media file and a feature sequence.

::

    ExtractorError
    ├── MediaError            the file cannot be opened, probed or decoded
    ├── MissingStreamError    the file has no stream of the kind that was asked for
    ├── MissingModelError     weights that are read from disk are not there
    └── RegistryError         an unknown or an already taken extractor name

Every error carries a short ``code``, so that a clip's failure can be counted as data.
"""


class ExtractorError(Exception):
    """Root of all errors raised by ``extractors``.

    Parameters
    ----------
    message : str
        Which item, what was asked, what is there, what to do.
    code : str, optional
        Short machine-readable reason; the class's own ``default_code`` without it.
    """

    default_code = "extractor_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code or self.default_code


class MediaError(ExtractorError):
    """A media file cannot be opened, probed or decoded."""

    default_code = "unreadable"


class MissingStreamError(MediaError):
    """A media file has no stream of the kind that was asked for."""

    default_code = "missing_stream"


class MissingModelError(ExtractorError):
    """Weights that an extractor reads from disk are not where it was told to look."""

    default_code = "missing_model"


class RegistryError(ExtractorError):
    """An extractor name is unknown, or is taken already."""

    default_code = "registry"
