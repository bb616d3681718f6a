"""How long the steps of a flow may take."""

from pydantic import BaseModel, ConfigDict, Field


class TimeLimits(BaseModel):
    """Hours after which a step is stopped; what it had finished stays, and the next run goes on.

    A single clip has a limit of its own, :data:`pipeline.clip_pool.PATIENCE_SECONDS`.

    Parameters
    ----------
    ingest, extract, train, predict, maintain : float
        Hours of one step, > 0.
    flow : float
        Hours of all steps together, > 0; also bounds each of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ingest: float = Field(default=6.0, gt=0)
    extract: float = Field(default=72.0, gt=0)
    train: float = Field(default=48.0, gt=0)
    predict: float = Field(default=12.0, gt=0)
    maintain: float = Field(default=6.0, gt=0)
    flow: float = Field(default=96.0, gt=0)
