"""Flows that do not come back from a capture as they were, each with the reason."""
CANNOT = {
    "forking": "the two phones are told apart by chance, and what they do stands in another order each time",
    "security/federation": "the BYE that goes straight to the caller's own address is taken for one to another party",
    "security/smime-call": "a session description that is encrypted for its end is not in the capture",
}
