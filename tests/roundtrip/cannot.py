"""Flows that do not come back from a capture as they were, each with the reason."""
CANNOT = {
    "security/smime-call": "a session description that is encrypted for its end is not in the capture",
}
