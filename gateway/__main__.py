"""`python -m gateway`: the HTTP and WebSocket bridge to the engine."""

from typing import Annotated

import typer
from pydantic import ValidationError

from gateway.server import serve
from gateway.settings import GatewaySettings


def main(
    host: Annotated[str | None, typer.Option(help="Address to listen on. (env HOST, default 127.0.0.1)")] = None,
    port: Annotated[int | None, typer.Option(help="HTTP and WebSocket port. (env PORT, default 3000)")] = None,
    grpc_target: Annotated[
        str | None, typer.Option(help="Where the engine answers. (env GRPC_TARGET, default 127.0.0.1:GRPC_PORT)")
    ] = None,
) -> None:
    """Serve the engine's API over HTTP and WebSocket. Settings come from the environment; options win."""
    given = {"host": host, "port": port, "grpc_target": grpc_target}
    try:
        settings = GatewaySettings.model_validate(
            {**GatewaySettings().model_dump(), **{name: value for name, value in given.items() if value is not None}}
        )
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            typer.echo(f"{name}: {problem['msg']}", err=True)
        raise typer.Exit(2) from None
    serve(settings)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command()(main)
    app(prog_name="python -m gateway")
