"""Which port each process serves its metrics on, and when one that is taken matters."""

import pytest
from pydantic import ValidationError

from gateway.settings import GatewaySettings
from order_engine.cli.metrics_ports import with_metrics
from order_engine.embedded.child import ChildSpec
from order_engine.settings import API_METRICS, WORKER_METRICS, Settings

NAMES = ("api", "gateway", "worker-1", "worker-2", "papernet")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METRICS_PORT", raising=False)
    monkeypatch.delenv("METRICS_REQUIRED", raising=False)


def ports(settings: Settings) -> dict[str, tuple[str, str, tuple[int, ...]]]:
    """Return port, required, and what must be free, by child."""
    children = with_metrics(settings, [ChildSpec(name=name, command=["true"], env={"KEPT": "1"}) for name in NAMES])
    assert all(child.env["KEPT"] == "1" for child in children)
    return {
        child.name: (
            child.env["METRICS_PORT"],
            child.env["METRICS_REQUIRED"],
            tuple(one.port for one in child.listens),
        )
        for child in children
    }


def test_up_counts_from_the_default_and_requires_none() -> None:
    expected = {name: (str(9464 + place), "false", ()) for place, name in enumerate(NAMES)}
    assert ports(Settings(_env_file=None)) == expected


def test_up_counts_from_the_port_it_is_given_and_requires_all() -> None:
    expected = {name: (str(20_000 + place), "true", (20_000 + place,)) for place, name in enumerate(NAMES)}
    assert ports(Settings(_env_file=None, metrics_port=20_000)) == expected


def test_ports_that_are_not_required_need_not_be_free() -> None:
    given = ports(Settings(_env_file=None, metrics_port=20_000, metrics_required=False))
    assert given["gateway"] == ("20001", "false", ())


@pytest.mark.parametrize("port", [0, -1])
def test_any_free_port_and_none_are_the_same_for_all(port: int) -> None:
    assert {one[0] for one in ports(Settings(_env_file=None, metrics_port=port)).values()} == {str(port)}


def test_a_child_with_a_host_of_its_own_is_checked_there() -> None:
    child = ChildSpec(name="papernet", command=["true"], env={"HOST": "127.0.0.1"})
    (given,) = with_metrics(Settings(_env_file=None, host="0.0.0.0", metrics_port=20_000), [child])  # noqa: S104
    assert [one.host for one in given.listens] == ["127.0.0.1"]


def test_a_process_started_by_hand_has_its_own_default() -> None:
    settings = Settings(_env_file=None)
    assert settings.metrics_listener(API_METRICS) == (9464, False)
    assert settings.metrics_listener(WORKER_METRICS) == (9466, False)
    assert GatewaySettings(_env_file=None).metrics_listener == (9465, False)


def test_a_port_asked_for_is_the_port_and_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_PORT", "20000")
    assert Settings(_env_file=None).metrics_listener(WORKER_METRICS) == (20_000, True)
    assert GatewaySettings(_env_file=None).metrics_listener == (20_000, True)


def test_blank_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METRICS_PORT", "")
    assert Settings(_env_file=None).metrics_port is None
    assert GatewaySettings(_env_file=None).metrics_port is None


@pytest.mark.parametrize("port", ["-2", "65536", "high", "1.5"])
def test_anything_else_is_refused(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("METRICS_PORT", port)
    with pytest.raises(ValidationError):
        Settings(_env_file=None)
    with pytest.raises(ValidationError):
        GatewaySettings(_env_file=None)
