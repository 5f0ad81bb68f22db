"""`python -m order_engine`."""

from order_engine.cli.app import app

if __name__ == "__main__":
    app(prog_name="python -m order_engine")
