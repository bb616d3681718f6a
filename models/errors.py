"""What can go wrong inside a model.

::

    ModelError
    ├── MissingModalityError  a batch lacks a modality the model was built for
    └── RegistryError         an unknown or an already taken model name
"""


class ModelError(Exception):
    """Root of all errors raised by ``models``."""


class MissingModalityError(ModelError):
    """A batch lacks a modality that the model was built for."""


class RegistryError(ModelError):
    """A model name is unknown, or is taken already."""
