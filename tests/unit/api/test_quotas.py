"""What one client may have, and who is one client."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from order_engine.api.interceptors.clients import LOCAL, Clients, networks
from order_engine.api.interceptors.quotas import OpenStreams, QuotaLimits, Quotas, RequestRates
from order_engine.api.refusals import RateLimitExceeded, StreamLimitExceeded

OUTSIDE = "ipv4:203.0.113.9:4711"


@dataclass
class Call:
    caller: str
    metadata: tuple[tuple[str, str], ...] = ()

    def peer(self) -> str:
        return self.caller

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self.metadata


def client(peer: str, *forwarded: str, trusted: str = "") -> str:
    return Clients(networks(trusted)).of(Call(peer, tuple(("x-forwarded-for", value) for value in forwarded)))


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        (OUTSIDE, "203.0.113.9"),
        ("ipv4:127.0.0.1:1", "127.0.0.1"),
        ("ipv6:[::1]:1", "::1"),
        ("ipv6:%5B::1%5D:1", "::1"),
        ("ipv6:[::ffff:203.0.113.9]:1", "203.0.113.9"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:1", "2001:db8:1:2::/64"),
        ("unix:/run/order_engine.sock", LOCAL),
        ("", LOCAL),
    ],
)
def test_a_client_is_its_address_without_the_port_or_its_ipv6_network(peer, name):
    assert client(peer) == name


@pytest.mark.parametrize("peer", ["ipv4:127.0.0.1:1", "ipv6:[::1]:1", "unix:/run/order_engine.sock"])
def test_this_machine_says_for_whom_it_asks(peer):
    assert client(peer, "198.51.100.1") == "198.51.100.1"


def test_nobody_else_does():
    assert client(OUTSIDE, "198.51.100.1") == "203.0.113.9"


def test_unless_it_is_a_trusted_proxy():
    assert client(OUTSIDE, "198.51.100.1", trusted="192.0.2.1, 203.0.113.0/24") == "198.51.100.1"


def test_what_a_client_wrote_itself_left_of_what_a_proxy_added_is_not_believed():
    assert client("ipv4:127.0.0.1:1", "10.0.0.1, 198.51.100.1") == "198.51.100.1"
    assert client("ipv4:127.0.0.1:1", "10.0.0.1", "198.51.100.1") == "198.51.100.1"


def test_a_chain_of_trusted_proxies_is_followed_to_the_client():
    assert client("ipv4:127.0.0.1:1", "198.51.100.1, 192.0.2.7", trusted="192.0.2.0/24") == "198.51.100.1"


@pytest.mark.parametrize("forwarded", ["", "unknown", "x" * 100_000, "198.51.100.1:80", ","])
def test_a_header_that_is_no_address_is_ignored(forwarded):
    assert client("ipv4:127.0.0.1:1", forwarded) == "127.0.0.1"


def test_a_list_of_networks_must_be_one():
    with pytest.raises(ValueError, match="nonsense"):
        networks("10.0.0.0/8,nonsense")


def test_each_client_has_its_own_places():
    streams = OpenStreams(2)
    assert [streams.take("a"), streams.take("a"), streams.take("a"), streams.take("b")] == [True, True, False, True]
    streams.give_back("a")
    assert streams.take("a")


def test_a_client_without_streams_is_not_kept():
    streams = OpenStreams(1)
    for number in range(100):
        assert streams.take(str(number))
        streams.give_back(str(number))
    assert streams._open == {}


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_allowed_then_the_rate():
    time = Time()
    rates = RequestRates(QuotaLimits(requests_per_second=10, burst=3), time)
    assert [rates.take("a") for _ in range(3)] == [0.0] * 3
    assert rates.take("a") == pytest.approx(0.1)
    time.now += 0.06
    assert rates.take("a") == pytest.approx(0.04)
    time.now += 0.05
    assert rates.take("a") == 0.0
    assert rates.take("a") > 0


def test_tokens_do_not_pile_up_beyond_the_burst():
    time = Time()
    rates = RequestRates(QuotaLimits(requests_per_second=10, burst=3), time)
    rates.take("a")
    time.now += 1000
    assert [bool(rates.take("a")) for _ in range(5)] == [False, False, False, True, True]


def test_one_client_takes_nothing_from_another():
    rates = RequestRates(QuotaLimits(requests_per_second=1, burst=1), Time())
    assert rates.take("a") == 0.0
    assert rates.take("a") > 0
    assert rates.take("b") == 0.0


def test_the_clients_heard_of_last_are_remembered_and_no_more():
    rates = RequestRates(QuotaLimits(requests_per_second=1, burst=1, clients_remembered=50), Time())
    assert rates.take("steady") == 0.0
    for number in range(1000):
        rates.take(str(number))
        assert rates.take("steady") > 0
    assert len(rates) == 50


def test_no_limit_keeps_no_books():
    rates = RequestRates(QuotaLimits(requests_per_second=0), Time())
    assert {rates.take("a") for _ in range(10_000)} == {0.0}
    assert len(rates) == 0


async def test_a_call_over_the_rate_is_not_made():
    made = []

    async def behavior(request: object, context: object) -> None:
        made.append(request)

    rated = Quotas(QuotaLimits(requests_per_second=1, burst=1)).rated(behavior)
    await rated(1, Call(OUTSIDE))
    with pytest.raises(RateLimitExceeded) as refused:
        await rated(2, Call(OUTSIDE))
    assert made == [1]
    assert timedelta(0) < refused.value.retry_after <= timedelta(seconds=1)


async def test_a_stream_keeps_its_place_until_its_answer_is_given():
    quotas = Quotas(QuotaLimits(max_streams=1))
    seen = []

    async def nothing(request: object, context: object) -> None:
        return None

    def answered(behavior):
        async def call(request: object, context: Call) -> None:
            try:
                await behavior(request, context)
            except StreamLimitExceeded:
                seen.append("refused")
            else:
                if request == "outer":  # its behaviour is over, its answer is not
                    await placed("inner", context)

        return call

    placed = quotas.placed(nothing, answered)
    await placed("outer", Call(OUTSIDE))
    assert seen == ["refused"]
    await placed("inner", Call(OUTSIDE))
    assert seen == ["refused"]
