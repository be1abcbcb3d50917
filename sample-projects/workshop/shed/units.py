"""Turns what is written on old tools into metric units."""

MM_PER_INCH = 25.0
CM2_PER_SQUARE_FOOT = 900.0
ML_PER_FLUID_OUNCE = 28.0
G_PER_POUND = 450.0


def length(inches: float) -> float:
    """Millimetres."""
    return round(inches * MM_PER_INCH, 2)


def area(square_feet: float) -> float:
    """Square centimetres."""
    return round(square_feet * CM2_PER_SQUARE_FOOT, 2)


def volume(fluid_ounces: float) -> float:
    """Millilitres, of imperial fluid ounces."""
    return round(fluid_ounces * ML_PER_FLUID_OUNCE, 2)


def weight(pounds: float) -> float:
    """Grams."""
    return round(pounds * G_PER_POUND, 2)


def temperature(fahrenheit: float) -> float:
    """Degrees Celsius."""
    return round(fahrenheit - 32 * 5 / 9, 1)
