import unittest

from shed.search import find

TOOLS = ["hand saw", "Hand saw, fine", "hand drill", "saw bench", "bench"]


class Find(unittest.TestCase):
    def test_needs_every_word(self):
        self.assertEqual(find(TOOLS, "hand drill"), ["hand drill"])

    def test_ignores_case_and_commas(self):
        self.assertIn("Hand saw, fine", find(TOOLS, "hand saw"))


class Ranking(unittest.TestCase):
    def test_closest_first(self):
        self.assertEqual(find(TOOLS, "hand saw"), ["hand saw", "Hand saw, fine"])

    def test_single_word(self):
        self.assertEqual(find(TOOLS, "bench"), ["bench", "saw bench"])
