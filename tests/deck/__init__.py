"""The read side that verbs and room share."""
