"""Questions that have an answer."""
