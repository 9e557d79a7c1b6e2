"""The error that ends the program with a message instead of a traceback."""

import click


class UserError(click.ClickException):
    """Something only the user can put right: a folder, a file, an option."""

    exit_code = 2


class AudioError(ValueError):
    """One clip that cannot be used; the others can."""
