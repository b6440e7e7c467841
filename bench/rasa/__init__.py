"""The assistant under a real Rasa 3.6, and what its customers hear there beside what they hear here."""
