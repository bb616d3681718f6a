"""Failures gathered while the rest of a batch goes on."""

from collections.abc import Sequence

from extractors.errors import ExtractorError
from pipeline.errors import PipelineError
from pipeline.manifest import read_manifest, write_manifest
from pipeline.records import Failure
from pipeline.workspace import Workspace


def printable(name: object) -> str:
    """Write a name so that every file and terminal takes it.

    Parameters
    ----------
    name : object
        A path or text; a file's name may hold bytes that are not UTF-8.

    Returns
    -------
    str
        Its text, such bytes as escapes.
    """
    return str(name).encode("utf-8", "backslashreplace").decode()


def record_failures(workspace: Workspace, step: str, failures: Sequence[Failure]) -> None:
    """Replace what a workspace says about a step.

    Parameters
    ----------
    workspace : Workspace
        Its ``failures`` are read and written.
    step : str
        Such as ``extract``, which stands for ``extract:covarep`` too.
    failures : sequence of Failure
        Of that step.
    """
    before = read_manifest(workspace.failures, Failure)
    others = [failure for failure in before if failure.step.partition(":")[0] != step]
    write_manifest(workspace.failures, [*others, *failures])


class FailureLog:
    """Turns errors about single items into records.

    Attributes
    ----------
    failures : list of Failure
        What was recorded, in order.
    """

    def __init__(self) -> None:
        self.failures: list[Failure] = []

    def record(
        self,
        error: ExtractorError | PipelineError,
        *,
        item: str,
        step: str,
        clip_id: str | None = None,
    ) -> None:
        """Write an error down.

        Parameters
        ----------
        error : ExtractorError or PipelineError
            What was raised; its code and message are kept.
        item : str
            What failed: a file's path, or a row of a file.
        step : str
            During which step.
        clip_id : str, optional
            The clip, where there is one.
        """
        self.failures.append(
            Failure(
                item=printable(item),
                step=step,
                code=error.code,
                detail=printable(error),
                clip_id=clip_id,
            )
        )
