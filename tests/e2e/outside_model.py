"""A model that answers in a few words."""

from tests.kit.model_talk import Answer, Request


def brief(request: Request) -> Answer:
    """Whatever it is asked."""
    return Answer("Yes. " * 20)
