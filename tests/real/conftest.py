"""The same seat as in the tests of the front door."""

from tests.e2e.conftest import front

__all__ = ["front"]
