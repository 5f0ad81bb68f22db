"""Doors that no OpenAPI document lists: the classic API, the raw bodies of every POST, and the bridge's own pages."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import httpx
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from gateway.routes import Rule
from tests.fuzz.bodies import bodies
from tests.fuzz.fuzzing import Door, Target, no_internals
from tests.fuzz.http_answers import ANSWER_WITHIN_SECONDS, check_classic_error, check_error
from tests.fuzz.words import UNKNOWN_ORDER, Words

_KEYS: Final = (None, None, None, "key-1", "key-2", "a" * 65, "", "a b", "\xff", 'quo"ted')
_TYPES: Final = ("application/json", "text/plain", "application/xml", "", "multipart/form-data")
_CLASSIC_STATUSES: Final = {201, 400, 409}
_RPC_STATUSES: Final = {200, 400, 404, 409}
_HEALTH_STATUSES: Final = {"SERVING": 200, "SERVICE_UNKNOWN": 404}

Post = tuple[str, bytes, str | None, str]  # path, body, Idempotency-Key, Content-Type


class Pages:
    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=ANSWER_WITHIN_SECONDS, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def targets(self, words: Words, rules: Sequence[Rule]) -> list[Door]:
        """Return the classic doors, then those of the POST rules."""
        posted = [self._raw_rpc(rule, words) for rule in rules if rule.whole_body]
        segments = _segments(words)
        return [
            Target(
                "http POST /api/orders/execute", _posts(st.just("/api/orders/execute"), classic=True), self._execute
            ),
            Target("http GET /api/orders/{orderId}", segments, self._classic_order),
            Target("http GET /api/orders/{orderId}/stream", segments, self._without_upgrade),
            Target("http GET /api/health", st.text(max_size=20).map(quote), self._classic_health),
            Target("http GET /healthz", st.one_of(st.sampled_from(_SERVICES), segments), self._health),
            *posted,
        ]

    def _execute(self, post: Post) -> str:
        answer = self._post(post)
        assert answer.status_code in _CLASSIC_STATUSES, f"{answer.status_code} {answer.text}"
        if answer.status_code == 201:
            order = self._http.get(f"/api/orders/{answer.json()['orderId']}")
            assert order.status_code == 200, f"an order that was acknowledged is not there: {answer.text}"
            assert order.json()["order_id"] == answer.json()["orderId"], order.text
        else:
            check_classic_error(answer.json())
            assert answer.status_code == 400 or post[2], "no key was given, yet it is in use"
        return str(answer.status_code)

    def _raw_rpc(self, rule: Rule, words: Words) -> Target[Post]:
        """Return the door of a rule that takes a body, whatever the body is."""
        names = [field.name for field in rule.rpc.input_type.fields if "{" + field.name + "}" in rule.path]
        parts = {name: words.segment(name).map(lambda text: quote(text, safe="")) for name in names}
        paths = st.fixed_dictionaries(parts).map(lambda values: rule.path.format(**values))
        return Target(f"http {rule.http_method} {rule.path} raw body", _posts(paths, classic=False), self._rpc)

    def _rpc(self, post: Post) -> str:
        answer = self._post(post)
        assert answer.status_code in _RPC_STATUSES, f"{answer.status_code} {answer.text}"
        if answer.status_code != 200:
            check_error(answer.status_code, answer.json())
        return str(answer.status_code)

    def _classic_order(self, segment: str) -> str:
        answer = self._get(f"/api/orders/{segment}")
        assert answer.status_code in {200, 404}, f"{answer.status_code} {answer.text}"
        if answer.status_code == 404:
            check_classic_error(answer.json())
        return str(answer.status_code)

    def _without_upgrade(self, segment: str) -> str:
        answer = self._get(f"/api/orders/{segment}/stream")
        assert answer.status_code in {404, 426}, f"{answer.status_code} {answer.text}"
        check_classic_error(answer.json())
        return str(answer.status_code)

    def _classic_health(self, query: str) -> str:
        answer = self._get(f"/api/health?{query}")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok"), answer.text
        return "200"

    def _health(self, service: str) -> str:
        answer = self._get(f"/healthz?service={service}")
        assert answer.status_code == _HEALTH_STATUSES.get(answer.json()["status"]), answer.text
        return str(answer.status_code)

    def _get(self, path: str) -> httpx.Response:
        return self._checked(self._http.get(path))

    def _post(self, post: Post) -> httpx.Response:
        path, body, key, content_type = post
        headers = [(b"content-type", content_type.encode())]
        if key is not None:
            headers.append((b"idempotency-key", key.encode("latin-1")))
        return self._checked(self._http.post(path, content=body, headers=headers))

    def _checked(self, answer: httpx.Response) -> httpx.Response:
        assert answer.headers["content-type"] == "application/json; charset=utf-8", answer.headers
        no_internals(answer.text)
        return answer


_SERVICES: Final = ("", "order_engine.v1.OrderService", "order_engine.v1.TokenService", "nobody")


def _posts(paths: SearchStrategy[str], *, classic: bool) -> SearchStrategy[Post]:
    return st.tuples(paths, bodies(classic=classic), st.sampled_from(_KEYS), st.sampled_from(_TYPES))


def _segments(words: Words) -> SearchStrategy[str]:
    """Return one path segment, percent-encoded; some are no text at all."""
    known = st.sampled_from([*words.order_ids, words.order_ids[0].upper(), UNKNOWN_ORDER])
    return st.one_of(
        known, words.text("order_id").map(lambda text: quote(text, safe="")), st.binary(max_size=30).map(quote)
    )
