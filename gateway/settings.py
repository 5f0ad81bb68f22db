"""The bridge's only reader of the environment. Every field is an environment variable of the same name."""

from ipaddress import ip_network
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65535)]

DEFAULT_METRICS_PORT: Final = 9465


class GatewaySettings(BaseSettings):
    """The bridge's configuration."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: Port = Field(default=3000, description="HTTP and WebSocket; 0 = any free port")
    grpc_port: Port = Field(default=50051, description="of the engine on this machine, when GRPC_TARGET is not set")
    grpc_target: str = Field(default="", description="where the engine answers; unset: 127.0.0.1:GRPC_PORT")
    allowed_origins: str = Field(
        default="",
        description="web origins allowed besides loopback and this server's own address, comma-separated; * = all",
    )
    grpc_timeout_seconds: float = Field(default=5.0, gt=0, description="how long a request waits for the engine")
    stream_resume_seconds: float = Field(
        default=60.0, ge=0, description="how long a stream tries to find a lost engine again"
    )
    send_timeout_seconds: float = Field(
        default=10.0, gt=0, description="a WebSocket that takes nothing for so long is cut off"
    )
    max_websockets: int = Field(default=10_000, ge=1, description="open at once")
    max_connections: int = Field(default=15_000, ge=1, description="open at once, each server")
    max_connections_per_client: int = Field(
        default=1_000, ge=0, description="open at once from one address, TRUSTED_PROXIES excepted; 0 = unlimited"
    )
    trusted_proxies: str = Field(
        default="",
        description="addresses or networks whose X-Forwarded-For names the client, comma-separated; "
        "this machine is always one",
    )
    drain_seconds: float = Field(default=10.0, ge=0, description="how long a stopping bridge finishes what it has")
    metrics_port: int | None = Field(
        default=None, ge=-1, le=65535, description="Prometheus /metrics; unset: 9465; 0 = any free one, -1 = off"
    )
    metrics_required: bool = Field(
        default=True, description="a METRICS_PORT in use stops the bridge; false or METRICS_PORT unset: only a warning"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe level shown"
    )
    log_format: Literal["auto", "json", "console"] = Field(default="auto", description="auto: console on a terminal")

    @field_validator("metrics_port", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in filter(None, (part.strip() for part in value.split(","))):
            ip_network(part, strict=False)
        return value

    @property
    def metrics_listener(self) -> tuple[int, bool]:
        """Return the metrics port, and whether it must be had."""
        if self.metrics_port is None:
            return DEFAULT_METRICS_PORT, False
        return self.metrics_port, self.metrics_required

    @property
    def engine_target(self) -> str:
        return self.grpc_target or f"127.0.0.1:{self.grpc_port}"

    @property
    def origins(self) -> frozenset[str]:
        return frozenset(origin.strip().rstrip("/").lower() for origin in self.allowed_origins.split(",") if origin)
