"""The verbs."""

def main() -> int:
    return 0
