import unittest

from shed.labels import label, number


class Label(unittest.TestCase):
    def test_fits_on_the_tape(self):
        self.assertEqual(label("hand saw", "B2"), "B2 hand saw")
        self.assertLessEqual(len(label("bench grinder with a very long name", "C1")), 24)

    def test_shows_marks(self):
        self.assertEqual(label("plane", "A1", ["blunt"]), "A1 plane (blunt)")

    def test_reads_numbers(self):
        self.assertEqual(number("plane #17"), 17)
        self.assertIsNone(number("plane"))
        self.assertIsNone(number("plane #x"))
