"""The benchmark suite: providers x modes x shapes -> one CSV; report and plots read it.

Run `python -m benchmarks.run --help`; docs/benchmarks.md explains what is measured.
"""
