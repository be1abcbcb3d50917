"""Agents with a loop of their own: Claude Code, Codex, every ACP agent, any command.

loopdeck starts one for the maker's part of an iteration, tells it what the iteration is about, and rules on each call it shows.
"""
