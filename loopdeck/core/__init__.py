"""The pure core: what a loop is and what happens next.

No files, no clock, no processes, no asyncio. Time, ids and outside facts are arguments; what comes out is a value.
"""
