"""Where the children of `up` serve their metrics: one port after the other, from METRICS_PORT on."""

from collections.abc import Sequence
from dataclasses import replace

from order_engine.embedded.child import ChildSpec
from order_engine.embedded.listening import Listen
from order_engine.settings import Settings


def with_metrics(settings: Settings, children: Sequence[ChildSpec]) -> list[ChildSpec]:
    """Give each child its own metrics port. A port that nobody asked for never keeps a child from starting.

    `children` come in the order of METRICS_PORTS_FROM: api, gateway, worker-1, worker-2, …, papernet.
    """
    return [_with_metrics(settings, child, place) for place, child in enumerate(children)]


def _with_metrics(settings: Settings, child: ChildSpec, place: int) -> ChildSpec:
    port, required = settings.metrics_listener(place)
    if settings.metrics_port is not None and port > 0:
        port += place
    env = {**child.env, "METRICS_PORT": str(port), "METRICS_REQUIRED": str(required).lower()}
    host = child.env.get("HOST", settings.host)
    must_be_free = (Listen(host=host, port=port, setting="METRICS_PORT"),) if required and port > 0 else ()
    return replace(child, env=env, listens=(*child.listens, *must_be_free))
