"""Print docs/configuration.md from the settings classes, so that the table and the code cannot differ."""

import sys

from pydantic_settings import BaseSettings

from gateway.settings import GatewaySettings
from order_engine.settings import PapernetSettings, Settings

SECTIONS: tuple[tuple[str, type[BaseSettings]], ...] = (
    ("Engine", Settings),
    ("Bridge", GatewaySettings),
    ("Paper network", PapernetSettings),
)


def configuration_markdown() -> str:
    """Return the whole document: one table for each process family."""
    lines = [
        "# Configuration",
        "",
        "Every setting is an environment variable; a `.env` file is read too. Printed by `make docs`.",
    ]
    for title, settings in SECTIONS:
        lines += ["", f"## {title}", "", "| variable | default | meaning |", "| --- | --- | --- |"]
        lines += _rows(settings)
    return "\n".join([*lines, ""])


def _rows(settings: type[BaseSettings]) -> list[str]:
    prefix = settings.model_config.get("env_prefix", "")
    rows = []
    for name, field in settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`" if str(field.default) else "unset"
        rows.append(f"| `{(prefix + name).upper()}` | {default} | {field.description or ''} |")
    return rows


if __name__ == "__main__":
    sys.stdout.write(configuration_markdown())
