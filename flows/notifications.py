"""Tell somebody that a run failed: a message to the webhook of a chat or a pager."""

import json
import os
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.logging import get_logger
from prefect.settings import PREFECT_UI_URL

#: Environment variable that holds the address; nothing is sent without it.
WEBHOOK = "WINNOW_WEBHOOK_URL"
TIMEOUT_SECONDS = 10.0


def tell_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Post a failed or crashed run to the webhook, as Prefect's hook.

    The body is ``{"text": ..., "flow": ..., "run": ..., "state": ..., "message": ...}``; Slack,
    Mattermost and many others show ``text``. A webhook that does not answer is logged.

    Parameters
    ----------
    flow : Flow
        Which flow.
    flow_run : FlowRun
        Its run.
    state : State
        How it ended.
    """
    address = os.environ.get(WEBHOOK)
    if not address:
        return
    logger = get_logger(__name__)
    if urlsplit(address).scheme not in ("http", "https"):
        logger.warning("%s: must begin with http:// or https://; nobody was told", WEBHOOK)
        return
    request = Request(
        address,
        data=json.dumps(failure_message(flow.name, flow_run, state)).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS):
            logger.info("told of the failure of run %s", flow_run.name)
    except (URLError, OSError) as error:
        # not the address: it is a secret
        logger.warning("%s: nobody could be told (%s)", WEBHOOK, error)


def failure_message(flow: str, run: FlowRun, state: State[Any]) -> dict[str, str]:
    """Write down what a person should know.

    Parameters
    ----------
    flow : str
        The flow's name.
    run : FlowRun
        Its run.
    state : State
        How it ended.

    Returns
    -------
    dict of str to str
        The message's parts, and all of it as ``text``.
    """
    message = state.message or "no reason was given"
    page = f"{PREFECT_UI_URL.value()}/runs/flow-run/{run.id}"
    return {
        "text": f"{flow}: run {run.name} {state.name}. {message}\n{page}",
        "flow": flow,
        "run": str(run.id),
        "state": state.name or state.type.value,
        "message": message,
    }
