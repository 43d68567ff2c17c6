"""``python -m opensirt`` is ``opensirt``."""

from opensirt.cli.main import run

if __name__ == "__main__":
    run()
