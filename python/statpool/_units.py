"""The magnitudes whose squares composites can sum as they are, and units for others."""

from typing import NamedTuple


class Units(NamedTuple):
    """What a dtype can sum, with room for 2^31 squares and 46 bits below the largest.

    Magnitudes below `least` and above `most` are taken in a unit, a power of two.
    """

    least: float
    most: float
    of_tiny: float
    of_huge: float


UNITS = {
    "float32": Units(2.0**-40, 2.0**40, of_tiny=2.0**-87, of_huge=2.0**80),
    "float64": Units(2.0**-450, 2.0**450, of_tiny=2.0**-600, of_huge=2.0**600),
}
