"""What the contract suite asks of an implementation.

It computes on NumPy arrays:

    forward(x, mask=None, lengths=None, **options) -> array
    gradient(x, upstream, mask=None, lengths=None, **options) -> array

with the options of `statpool.global_stats`, and says in its attributes what tests have
to know about it. Nothing is imported before `load`, so that an implementation that
can't be loaded fails alone and doesn't keep the others from being tested.
"""

from tests.support.exact import STATISTICS


class Implementation:
    """What the tests may ask of any implementation."""

    name = ""
    errors = (ValueError,)  # what bad input may raise
    flushes_denormals = False  # whether denormal numbers may count as 0
    compiles_each_shape = False  # so slowly that tests choose few shapes
    checks_values = True  # whether it can reject what only values show
    takes_views = True  # whether strides and alignment of an array reach it
    checks_arguments = True  # whether it can reject what no caller should pass
    is_interpreted = False  # so slowly that tests choose shorter series
    is_exact_at_infinity = True  # or the gradient at an infinite step is always NaN
    least = 1  # of x, in least normal numbers, that no flushing touches on the way
    borrows_kernels = False  # which another one tests at all sizes, so that few do

    def leeway(self, time):
        """How many times the bounds of the contract its errors may be."""
        return 1

    def __str__(self):
        return self.name

    def load(self):
        """Raises if the implementation can't be used here."""

    def forget(self):
        """Frees what was kept for further calls, after the last of many."""

    def values_of(self, case, statistics=STATISTICS, **options):
        """The output for a case."""
        options = {**case.options(statistics), **options}
        return self.forward(case.x(), case.mask(), case.lengths(), **options)

    def gradient_of(self, case, upstream=None, statistics=STATISTICS, **options):
        """The gradient for a case, of its own upstream unless there is another."""
        upstream = case.upstream(statistics) if upstream is None else upstream
        options = {**case.options(statistics), **options}
        return self.gradient(case.x(), upstream, case.mask(), case.lengths(), **options)
