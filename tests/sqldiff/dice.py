# SPDX-License-Identifier: PostgreSQL
"""Chance that can be played again, and made smaller.

Whatever is generated is a function of the numbers drawn.  They are kept, so
that a statement is made again from them, and a simpler one from fewer or
smaller ones: 0 is the plainest choice everywhere.
"""

import random


class Dice:
    """Draws from a seed, or again the draws given and then 0."""

    def __init__(self, seed=None, draws=None):
        self.rng = random.Random(seed) if draws is None else None
        self.given = draws
        self.drawn = []

    def below(self, n):
        if self.rng:
            value = self.rng.randrange(n)
        elif len(self.drawn) < len(self.given):
            value = min(self.given[len(self.drawn)], n - 1)
        else:
            value = 0
        self.drawn.append(value)
        return value

    def chance(self, percent):
        return self.below(100) >= 100 - percent

    def pick(self, choices):
        return choices[self.below(len(choices))]

    def weighted(self, choices):
        """One of [(weight, choice), ...]."""
        at = self.below(sum(w for w, _ in choices))
        for weight, choice in choices:
            at -= weight
            if at < 0:
                return choice
        raise AssertionError("weights")

    def some(self, choices, least=1, most=3):
        """Different ones, in any order."""
        left, out = list(choices), []
        count = least + self.below(most - least + 1)
        while left and len(out) < count:
            out.append(left.pop(self.below(len(left))))
        return out


def shrink(draws, fails, tries=300):
    """Fewer and smaller draws for which fails(draws) is still true."""
    size = max(1, len(draws) // 2)
    while size and tries > 0:
        at = 0
        while at < len(draws) and tries > 0:
            for less in (draws[:at] + draws[at + size:],
                         draws[:at] + [0] * len(draws[at:at + size]) +
                         draws[at + size:]):
                tries -= 1
                if less != draws and fails(less):
                    draws = less
                    break
            else:
                at += size
        size //= 2
    return draws
