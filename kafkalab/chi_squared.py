"""The chi-squared test against an even spread.

It is not scipy's, which takes a second to import, and 140 MB, for the one sum below.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, exp, lgamma, log, sqrt


def chi_squared(counts: Sequence[int]) -> tuple[float, float]:
    """Compare counts with an even spread; at least two counts, and not all 0.

    Returns:
        Pearson's statistic, and its p-value: the chance of one as large or larger if each thing
        that was counted went anywhere with the same chance.
    """
    mean = sum(counts) / len(counts)
    statistic = sum((count - mean) ** 2 for count in counts) / mean
    return statistic, chance_of(statistic, freedom=len(counts) - 1)


def chance_of(statistic: float, freedom: int) -> float:
    """The chance of such a statistic or a larger one, with so many degrees of freedom (from 1).

    This is the regularized gamma function Q(freedom / 2, statistic / 2). For whole degrees it is a
    finite sum of positive terms: Q(a + 1, x) = Q(a, x) + x^a e^-x / gamma(a + 1).
    """
    if statistic == 0:
        return 1.0
    x = statistic / 2
    a, chance = (0.5, erfc(sqrt(x))) if freedom % 2 else (1.0, exp(-x))
    while a < freedom / 2:
        chance += exp(a * log(x) - x - lgamma(a + 1))
        a += 1
    # Rounding may put a sum of almost 1 above it.
    return min(chance, 1.0)
