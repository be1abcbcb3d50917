import unittest
from datetime import date

from shed.loans import due_date, is_late


class Due(unittest.TestCase):
    def test_counts_days(self):
        self.assertEqual(due_date(date(2026, 3, 2), 3), date(2026, 3, 5))

    def test_moves_off_a_closed_day(self):
        self.assertEqual(due_date(date(2026, 3, 2), 6), date(2026, 3, 9))


class Late(unittest.TestCase):
    def test_on_the_day_is_in_time(self):
        self.assertFalse(is_late(date(2026, 3, 5), date(2026, 3, 5)), "back on the day it is due is in time")

    def test_the_day_after_is_late(self):
        self.assertTrue(is_late(date(2026, 3, 5), date(2026, 3, 6)))
