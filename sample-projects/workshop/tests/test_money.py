import unittest

from shed.money import late_fee, split


class LateFee(unittest.TestCase):
    def test_in_time(self):
        self.assertEqual(late_fee(0), 0, "in time costs nothing")
        self.assertEqual(late_fee(-3), 0, "early costs nothing")

    def test_grace_days_are_free(self):
        self.assertEqual(late_fee(2), 0, "the two grace days are free")

    def test_counts_after_the_grace_days(self):
        self.assertEqual(late_fee(5), 450, "five days late, two of them free")

    def test_stops_at_the_highest(self):
        self.assertEqual(late_fee(60), 3000, "never above the highest fee")


class Split(unittest.TestCase):
    def test_even(self):
        self.assertEqual(split(900, 3), [300, 300, 300])

    def test_no_cent_is_lost(self):
        self.assertEqual(split(1000, 3), [334, 333, 333], "the first ones pay the odd cents")
