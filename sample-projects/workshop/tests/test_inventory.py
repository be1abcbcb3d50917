import unittest

from shed.inventory import missing, shelves

TOOLS = [
    {"name": "plane", "shelf": "A1"},
    {"name": "adze", "shelf": "A1", "lent": True},
    {"name": "vice", "shelf": "B2"},
]


class Stocktaking(unittest.TestCase):
    def test_counts_shelves(self):
        self.assertEqual(shelves(TOOLS), {"A1": 2, "B2": 1})

    def test_lent_is_not_missing(self):
        self.assertEqual(missing(TOOLS, ["plane"]), ["vice"])
