"""Who does the work of a life: the maker, whichever kind it is, and the checks; each made when its first step comes."""

from functools import cached_property
from typing import TYPE_CHECKING

from loopdeck.core.spec import OUTSIDE
from loopdeck.runner.grading import Grading
from loopdeck.runner.making import Making
from loopdeck.runner.metered import Meter
from loopdeck.runner.site import Site

if TYPE_CHECKING:
    from loopdeck.runner.outside import OutsideMaking


class Work:
    """Made anew where a life begins anew: what it had begun is then gone on with from what is written down."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.meter = Meter(site.record, site.day)

    @cached_property
    def making(self) -> Making:
        """A maker that is a model, driven by us."""
        return Making(self._site, self.meter)

    @cached_property
    def agent(self) -> "OutsideMaking":
        """A maker with a loop of its own."""
        # With all that an agent in a process of its own needs: time that no other maker is to wait.
        from loopdeck.runner.outside import OutsideMaking

        return OutsideMaking(self._site)

    @property
    def maker(self) -> "Making | OutsideMaking":
        """The maker of this loop."""
        return self.agent if self._site.spec.maker.agent in OUTSIDE else self.making

    @cached_property
    def grading(self) -> Grading:
        """The checks."""
        return Grading(self._site, self.meter)
