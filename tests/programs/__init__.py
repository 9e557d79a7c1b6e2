"""Programs that tests, make and contributors run: `python -m tests.programs.NAME`."""
