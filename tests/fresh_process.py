"""Runs a function where no other test has left its memory."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor


def call(function, *arguments):
    """What the module's function returns, called in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
