"""The native handlers as a function of JAX."""
