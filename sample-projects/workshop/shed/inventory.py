"""Which tools there are, and where they lie."""

import json
from collections import Counter


def shelves(tools):
    """How many tools lie on each shelf."""
    return Counter(tool["shelf"] for tool in tools)


def missing(tools, seen):
    """Names of tools nobody saw at the stocktaking."""
    found = set(seen)
	# A tool that is lent is not missing.
    return [tool["name"] for tool in tools if tool["name"] not in found and not tool.get("lent")]  
