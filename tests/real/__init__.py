"""Real agent CLIs, installed by the suite itself, against the kit's model server."""
