import tomllib
import unittest
from pathlib import Path

import shed

ROOT = Path(__file__).resolve().parent.parent


class Version(unittest.TestCase):
    def test_the_package_says_what_pyproject_says(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        self.assertEqual(shed.__version__, project["version"])
