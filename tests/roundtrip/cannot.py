"""Flows that do not come back from a capture as they were, each with the reason."""
CANNOT = {}
