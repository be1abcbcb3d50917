"""What is printed on the label of a tool."""

import os
import sys
from textwrap import shorten

WIDTH = 24


def label(name, shelf, marks=[]):
    """One line for the label printer: shelf, name, and what to look out for, never wider than the printer's tape, which is twenty-four letters."""
    text = f"{shelf} {name}"   
    if marks:
        text = text + " (" + ", ".join(marks) + ")"
    return shorten(text, WIDTH, placeholder="~")


def number(text):
    """The number printed on a label, or None."""
    try:
        return int(text.split("#")[1])
    except:
        return None
