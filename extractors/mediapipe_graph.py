"""One of mediapipe's own subgraphs, run picture by picture."""

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

# File descriptor 2 belongs to the whole process: two clips must not redirect it at once.
_STDERR_LOCK = threading.Lock()


class MediapipeGraph:
    """A calculator graph built from what the wheel links and ships; a context manager.

    It keeps nothing of a picture: the same inputs give the same outputs, whatever came before.

    Parameters
    ----------
    config : str
        The graph in protocol buffer text format; it may name subgraphs.
    streams : sequence of str
        Streams to read, the ones inside subgraphs included (``subgraph__stream``).
    side_packets : mapping of str to bool, optional
        Switches that hold for the whole run.
    adjust : callable, optional
        Changes the options of a node of the expanded graph; called for every node.
    """

    def __init__(
        self,
        *,
        config: str,
        streams: Sequence[str],
        side_packets: Mapping[str, bool] | None = None,
        adjust: Callable[[Any], None] | None = None,
    ) -> None:
        self._config = config
        self._streams = streams
        self._side_packets = side_packets or {}
        self._adjust = adjust
        self._resources = ExitStack()
        self._graph: Any = None
        self._put_out: dict[str, Any] = {}
        self._runs = 0

    def __enter__(self) -> Self:
        with native_messages_dropped():
            import mediapipe
            from mediapipe.python import packet_creator
            from mediapipe.python._framework_bindings import calculator_graph, resource_util

            resource_util.set_resource_dir(str(Path(mediapipe.__file__).parent.parent))
            self._graph = calculator_graph.CalculatorGraph(graph_config=self._expanded())
            for stream in self._streams:
                self._graph.observe_output_stream(stream, self._put_out.__setitem__)
            self._graph.start_run(
                {name: packet_creator.create_bool(on) for name, on in self._side_packets.items()}
            )
            self._resources.callback(self._graph.close)
        return self

    def __exit__(self, *exception: object) -> None:
        self._resources.close()

    def run(self, **inputs: Any) -> dict[str, Any]:
        """Send one packet into every input stream, and wait for what comes out.

        Parameters
        ----------
        **inputs : Packet
            A packet for every input stream of the graph.

        Returns
        -------
        dict of str to Packet
            The packets of the streams to read; a stream that put nothing out is missing.
        """
        self._runs += 1
        self._put_out.clear()
        for name, packet in inputs.items():
            self._graph.add_packet_to_input_stream(name, packet, self._runs)
        self._graph.wait_until_idle()
        return self._put_out

    def _expanded(self) -> Any:
        """Resolve the subgraphs, so that options inside them can be changed."""
        from google.protobuf import text_format
        from mediapipe.framework import calculator_pb2
        from mediapipe.python._framework_bindings import calculator_graph

        wanted = text_format.Parse(self._config, calculator_pb2.CalculatorGraphConfig())
        whole = calculator_graph.CalculatorGraph(graph_config=wanted).text_config
        config = text_format.Parse(whole, calculator_pb2.CalculatorGraphConfig())
        if self._adjust is not None:
            for node in config.node:
                self._adjust(node)
        return config


@contextmanager
def native_messages_dropped() -> Iterator[None]:
    """Send what native code writes to stderr nowhere.

    mediapipe announces its delegates there before its log can be configured, and no setting or
    environment variable stops it. Python's own errors are raised, not written, so none is lost.
    """
    with _STDERR_LOCK, ExitStack() as resources:
        kept = os.dup(2)
        resources.callback(os.close, kept)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        resources.callback(os.close, nowhere)
        os.dup2(nowhere, 2)
        resources.callback(os.dup2, kept, 2)
        yield


@contextmanager
def deprecations_ignored() -> Iterator[None]:
    """Ignore what protobuf 4 says of mediapipe 0.10.14 whenever a packet is read."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"SymbolDatabase\.GetPrototype", UserWarning)
        yield
