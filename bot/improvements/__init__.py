"""Improvements: what many cases say of one thing, what is done about it, and whether it helped.

`rules` is pure: the quadrant, the way of an improvement, and what the figures before and after show. `service` keeps
them.
"""
