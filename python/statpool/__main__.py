"""The command line: python -m statpool doctor."""

import argparse

from statpool import doctor


def main() -> int:
    """Runs the command that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m statpool", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("doctor", help=doctor.__doc__)
    parser.parse_args()
    return doctor.report()


if __name__ == "__main__":
    raise SystemExit(main())
