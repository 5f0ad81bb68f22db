"""The only reader of the environment. Every name here is an environment variable; docs list the same table."""

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from solders.pubkey import Pubkey

Port = Annotated[int, Field(ge=0, le=65535)]

METRICS_PORTS_FROM: Final = 9464  # api, then gateway, worker-1, worker-2, …, papernet
API_METRICS, GATEWAY_METRICS, WORKER_METRICS = range(3)

_SCHEMES: Final = {
    "database_url": ("postgresql://", "postgres://", "postgresql+psycopg://"),
    "redis_url": ("redis://", "rediss://", "unix://"),
    "solana_rpc_url": ("http://", "https://"),
}


def _parts(value: str) -> tuple[str, ...]:
    """The parts of a comma-separated list."""
    return tuple(filter(None, (part.strip() for part in value.split(","))))


def _mint(text: str) -> "Pubkey":
    from order_engine.domain.tokens import TOKENS_BY_SYMBOL

    token = TOKENS_BY_SYMBOL.get(text)
    return token.mint if token else _address(text)


def _address(text: str) -> "Pubkey":
    """Imports what it needs when it is needed: the command line's client commands start without it."""
    from solders.pubkey import Pubkey

    try:
        return Pubkey.from_string(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a base58 address") from error


class Settings(BaseSettings):
    """The engine's configuration. Unset DATABASE_URL, REDIS_URL and SOLANA_RPC_URL mean: bring your own (embedded)."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="address the servers listen on")
    grpc_port: Port = Field(50051, description="gRPC")
    port: Port = Field(3000, description="HTTP and WebSocket bridge")
    database_url: str = Field("", description="PostgreSQL; unset: embedded")
    redis_url: str = Field("", description="Redis or Valkey; unset: embedded")
    redis_namespace: str = Field("order_engine", min_length=1, max_length=64, description="prefix of every Redis key")
    solana_rpc_url: str = Field("", description="JSON-RPC endpoints, comma-separated; unset: paper network")
    state_dir: Path = Field(Path(".local"), description="embedded servers' data, paper network, wallet, logs")
    workers: int = Field(2, ge=1, le=64, description="worker processes started by `up`")

    wallet_path: Path | None = Field(None, description="key file in Solana CLI format; unset: STATE_DIR/wallet.json")
    live_trading: bool = Field(False, description="allow signing on a chain that is not our paper network")
    default_slippage_bps: int = Field(50, ge=0, le=5000, description="when an order names none")
    compute_unit_price_micro_lamports: int = Field(10_000, ge=0, le=10**9, description="priority fee")

    max_in_flight: int = Field(10, ge=0, description="orders worked on at once, all workers; 0 = unlimited")
    max_starts_per_minute: int = Field(100, ge=0, description="attempts started in any 60 s; 0 = unlimited")
    max_attempts: int = Field(3, ge=1, le=20, description="attempts per order")
    retry_delay_ms: int = Field(1000, ge=0, description="wait before the second attempt; doubles for each further one")
    lease_seconds: float = Field(6.0, gt=0, description="how long a silent worker keeps its order")
    orders_per_worker: int = Field(256, ge=1, description="orders one worker process works on at once")
    venue_timeout_ms: int = Field(250, ge=1, description="a venue slower than this is left out")
    market_refresh_ms: int = Field(100, ge=0, description="oldest reading of a pool that a quote may rest on")
    route_hubs: str = Field("SOL,USDC,USDT", description="tokens that a route may pass, symbols or mints")
    max_hops: int = Field(3, ge=1, le=3, description="swaps in a row that a route may take; 1 = direct only")
    pools: str = Field("", description="the only pools to trade on, addresses; unset: all that the chain has of a pair")
    lookup_tables: str = Field(
        "",
        description="address lookup tables on chain, so that routes through more pools fit a transaction. "
        "`up` sets that of its paper network",
    )
    wallet_address: str = Field(
        "", description="whose missing token accounts a quote counts as cost; unset: none is missing. `up` sets it"
    )
    poll_interval_ms: int = Field(400, ge=1, description="between looks for a sent transaction")
    watch_poll_seconds: float = Field(1.0, gt=0, description="how late a lost wake-up makes a watcher")
    drain_seconds: float = Field(10.0, ge=0, description="how long a stopping server finishes what it has")
    max_streams_per_client: int = Field(10_000, ge=0, description="streams one client may have open; 0 = unlimited")
    max_requests_per_second: int = Field(2_000, ge=0, description="unary calls of one client; 0 = unlimited")
    max_request_burst: int = Field(4_000, ge=1, description="unary calls of one client at once, after a quiet time")
    max_connections: int = Field(15_000, ge=1, description="open at once, each server")
    trusted_proxies: str = Field(
        "",
        description="addresses or networks whose X-Forwarded-For names the client, comma-separated; "
        "this machine is always one",
    )
    database_pool_size: int = Field(10, ge=1, le=20, description="connections per process")
    metrics_port: int | None = Field(
        None,
        ge=-1,
        le=65_400,
        description="Prometheus /metrics; unset: 9464 api, 9465 gateway, 9466 worker; 0 = any free one, -1 = off. "
        "`up` counts from it: api, gateway, each worker, papernet",
    )
    metrics_required: bool = Field(
        True, description="a METRICS_PORT in use stops the process; false or METRICS_PORT unset: only a warning"
    )
    fault_points: str = Field("", description="for tests: see order_engine/fault_points.py")
    log_level: str = Field("info", description="debug, info, warning, error")
    log_format: str = Field("auto", description="json, console, or auto: console on a terminal")

    @field_validator("database_url", "redis_url", "solana_rpc_url")
    @classmethod
    def _known_scheme(cls, value: str, info: ValidationInfo) -> str:
        schemes = _SCHEMES[info.field_name or ""]
        for url in _parts(value):
            if not url.startswith(schemes):
                raise ValueError(f"must start with {' or '.join(schemes)}")
        return value

    @field_validator("route_hubs")
    @classmethod
    def _tokens(cls, value: str) -> str:
        for part in _parts(value):
            _mint(part)
        return value

    @field_validator("pools", "lookup_tables", "wallet_address")
    @classmethod
    def _addresses(cls, value: str) -> str:
        for part in _parts(value):
            _address(part)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in _parts(value):
            ip_network(part, strict=False)
        return value

    @model_validator(mode="after")
    def _no_faults_with_real_money(self) -> Self:
        if self.fault_points and self.live_trading:
            raise ValueError("FAULT_POINTS is for the paper network: unset it, or LIVE_TRADING")
        return self

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.lower() not in {"debug", "info", "warning", "error"}:
            raise ValueError("must be debug, info, warning or error")
        return value.lower()

    @property
    def wallet_file(self) -> Path:
        return self.wallet_path or self.state_dir / "wallet.json"

    def metrics_listener(self, place: int) -> tuple[int, bool]:
        """Return the metrics port of the process at this place after METRICS_PORTS_FROM, and if it must be had."""
        if self.metrics_port is None:
            return METRICS_PORTS_FROM + place, False
        return self.metrics_port, self.metrics_required

    @property
    def rpc_endpoints(self) -> tuple[str, ...]:
        return _parts(self.solana_rpc_url)

    @property
    def hubs(self) -> "tuple[Pubkey, ...]":
        return tuple(_mint(part) for part in _parts(self.route_hubs))

    @property
    def listed_pools(self) -> "tuple[Pubkey, ...]":
        return tuple(_address(part) for part in _parts(self.pools))

    @property
    def tables(self) -> "tuple[Pubkey, ...]":
        return tuple(_address(part) for part in _parts(self.lookup_tables))

    @property
    def quoted_wallet(self) -> "Pubkey | None":
        return _address(self.wallet_address) if self.wallet_address else None


class ClientSettings(BaseSettings):
    """Where the command line's client commands find the engine."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    grpc_port: Port = Field(50051, description="of the engine on this machine, when GRPC_TARGET is not set")
    port: Port = Field(3000, description="of the HTTP bridge on this machine")
    grpc_target: str = Field("", description="where the engine answers; unset: 127.0.0.1:GRPC_PORT")

    @property
    def engine_target(self) -> str:
        return self.grpc_target or f"127.0.0.1:{self.grpc_port}"


class PapernetSettings(BaseSettings):
    """The paper network's configuration."""

    model_config = SettingsConfigDict(
        env_file=".env", env_prefix="PAPERNET_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    port: Port = Field(8899, description="JSON-RPC")
    seed: int = Field(1, description="decides the market and which transactions fail")
    slot_ms: int = Field(400, ge=1, le=60_000, description="length of a slot")
    land_after_slots_min: int = Field(5, ge=0, le=150, description="slots until a sent transaction lands, at least")
    land_after_slots_max: int = Field(7, ge=0, le=150, description="slots until a sent transaction lands, at most")
    failure_rate: float = Field(0.05, ge=0, le=1, description="share of transactions that fail on chain")
    market_volatility_bps: int = Field(20, ge=0, le=5000, description="most a price moves per market step; 0 = still")
    market_step_slots: int = Field(5, ge=1, description="slots between market steps")
    airdrop_max_lamports: int = Field(10_000 * 10**9, ge=0, description="most that one requestAirdrop gives")
    faults: str = Field(
        "", description="fault plan, such as drop=0.05,delay=0.1:20,late=0.02,duplicate=0.1,lag=8,http_429=0.02"
    )

    @model_validator(mode="after")
    def _landing_range(self) -> Self:
        if self.land_after_slots_min > self.land_after_slots_max:
            raise ValueError("PAPERNET_LAND_AFTER_SLOTS_MIN is above PAPERNET_LAND_AFTER_SLOTS_MAX")
        return self
