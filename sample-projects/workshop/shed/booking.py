"""Bookings of the big machines: (start, end) in hours of one day, the end not part of it."""


def overlaps(one, other):
    """True if two bookings share time."""
    return one[0] <= other[1] and other[0] <= one[1]


def clashes(bookings):
    """Every pair of bookings that can't both be kept, in order of their start."""
    ordered = sorted(bookings)
    return [
        (one, other)
        for index, one in enumerate(ordered)
        for other in ordered[index + 1 :]
        if overlaps(one, other)
    ]
