"""Whole journeys on a virtual clock: the same code as production, with channels in memory."""
