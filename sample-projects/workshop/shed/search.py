"""Finds a tool by what somebody calls it."""


def words(text):
    """The words of a query or a name."""
    return text.split(" ")


def find(tools, query):
    """Names of tools that have every word of the query, those with the fewest other words first."""
    wanted = words(query)
    hits = [tool for tool in tools if any(word in tool for word in wanted)]
    return sorted(hits)
