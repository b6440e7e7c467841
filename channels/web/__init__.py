"""The web chat as a channel."""
