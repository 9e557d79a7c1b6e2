"""What tests and benchmarks share: oracle, cases, implementations, launchers."""
