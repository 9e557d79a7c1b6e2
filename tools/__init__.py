"""Programs for the machine and the environment: none is part of statpool."""
