"""The room: a Textual app over the deck's files. It reads snapshots, sends commands, and owns nothing.

Nothing here decides what a run does, and nothing outside imports this but the verb that opens it.
"""
