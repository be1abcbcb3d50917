import unittest

from shed.booking import clashes


class Clashes(unittest.TestCase):
    def test_shared_hours_clash(self):
        self.assertEqual(clashes([(11, 13), (9, 12)]), [((9, 12), (11, 13))])

    def test_one_after_the_other_is_fine(self):
        self.assertEqual(clashes([(9, 11), (11, 13)]), [], "one ends when the next begins")
