"""What a server needs so that a run that was killed is not at work for ever."""

from datetime import timedelta
from typing import Final

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound

from flows.tasks import GPU_TAG

#: All our deployments and their runs carry it; the automation leaves the runs of others alone.
TAG: Final = "winnow"
AUTOMATION: Final = "winnow: a run without a heartbeat has crashed"
#: Prefect allows none more frequent.
HEARTBEAT_SECONDS: Final = 30
#: Four beats: a loaded machine may be late with one or two.
SILENCE: Final = timedelta(seconds=4 * HEARTBEAT_SECONDS)
_HEARTBEAT = "prefect.flow-run.heartbeat"
_SIGNS_OF_LIFE = frozenset(
    (
        _HEARTBEAT,
        *(
            f"prefect.flow-run.{state}"
            for state in ("Completed", "Failed", "TimedOut", "Crashed", "Cancelled", "Paused")
        ),
    )
)


def install_safeguards(*, gpus: int | None = None) -> None:
    """Let the server notice runs that were killed, and let tasks take turns on a GPU.

    A killed process cannot say so, and Prefect would show its run as running for ever, and count
    it where the number of runs is limited. Both may be done again.

    Parameters
    ----------
    gpus : int, optional
        How many tasks may use a GPU at once, > 0; without it one, or what was set before.
    """
    with get_client(sync_client=True) as client:
        _limit_gpu_tasks(client, gpus)
        _watch_heartbeats(client)


def _limit_gpu_tasks(client: SyncPrefectClient, gpus: int | None) -> None:
    """Prefect leases a place for 60 s at a time: a killed task's is free a minute later."""
    if gpus is None:
        try:
            client.read_global_concurrency_limit_by_name(f"tag:{GPU_TAG}")
        except ObjectNotFound:
            gpus = 1
    if gpus is not None:
        client.upsert_global_concurrency_limit_by_name(f"tag:{GPU_TAG}", gpus)


def _watch_heartbeats(client: SyncPrefectClient) -> None:
    trigger = EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={
            "prefect.resource.id": f"prefect.tag.{TAG}",
            "prefect.resource.role": "tag",
        },
        for_each={"prefect.resource.id"},
        after={_HEARTBEAT},
        expect=set(_SIGNS_OF_LIFE),
        posture=Posture.Proactive,
        threshold=1,
        within=SILENCE,
    )
    crash = ChangeFlowRunState(
        state=StateType.CRASHED,
        name="Crashed",
        message=f"No sign of life for {SILENCE.seconds} s: the process was killed. What it had "
        "finished stays; run it again",
    )
    wanted = AutomationCore(
        name=AUTOMATION,
        description="Installed by Winnow. Only runs with the tag winnow are concerned.",
        trigger=trigger,
        actions=[crash],
    )
    for known in client.read_automations_by_name(AUTOMATION):
        client.delete_automation(known.id)
    client.create_automation(wanted)
