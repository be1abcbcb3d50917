"""What loopdeck offers agents that it did not make: a loop's state, its findings, its budget, and a person to ask."""
