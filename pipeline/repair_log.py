"""What is mended while one file is read."""

from pathlib import Path

from pipeline.errors import SourceError
from pipeline.records import Repair


class RepairLog:
    """Gathers what is mended in one file, and says where in it.

    Parameters
    ----------
    path : Path
        The file.
    unit : str
        What it consists of: lines, or rows of a table.
    """

    def __init__(self, path: Path, *, unit: str = "line") -> None:
        self.path = path
        self._unit = unit
        self._lines: dict[tuple[str, str], list[int]] = {}

    def note(self, code: str, what: str, line: int) -> None:
        """Write a repair down.

        Parameters
        ----------
        code : str
            Its kind.
        what : str
            What was wrong and what was done, in the singular.
        line : int
            Where, from 1.
        """
        self._lines.setdefault((code, what), []).append(line)

    def refuse(self, what: str, line: int, *, code: str = "bad_transcript") -> SourceError:
        """Make an error of what cannot be mended.

        Parameters
        ----------
        what : str
            What is wrong, and what to do.
        line : int
            Where, from 1.
        code : str
            Its kind.

        Returns
        -------
        SourceError
            To be raised.
        """
        return SourceError(f"{self.path}, {self._unit} {line}: {what}", code=code)

    def repairs(self) -> tuple[Repair, ...]:
        """Sum up.

        Returns
        -------
        tuple of Repair
            One of each kind, with its first line.
        """
        return tuple(
            Repair(
                code=code,
                detail=f"{self.path}, {self._unit} {min(lines)}: {what}"
                + (f" ({len(lines)} times)" if len(lines) > 1 else ""),
            )
            for (code, what), lines in self._lines.items()
        )
