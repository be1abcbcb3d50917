import unittest

from shed.units import area, length, temperature, volume, weight


class Length(unittest.TestCase):
    def test_inches(self):
        self.assertEqual(length(2), 50.8, "two inches in millimetres")


class Area(unittest.TestCase):
    def test_square_feet(self):
        self.assertEqual(area(2), 1858.06, "two square feet in square centimetres")


class Volume(unittest.TestCase):
    def test_fluid_ounces(self):
        self.assertEqual(volume(10), 284.13, "ten fluid ounces in millilitres")


class Weight(unittest.TestCase):
    def test_pounds(self):
        self.assertEqual(weight(3), 1360.78, "three pounds in grams")


class Temperature(unittest.TestCase):
    def test_fahrenheit(self):
        self.assertEqual(temperature(212), 100.0, "boiling water")
        self.assertEqual(temperature(32), 0.0, "melting ice")
