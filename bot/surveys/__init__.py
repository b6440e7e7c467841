"""Surveys: what is asked after a service, what an answer means, and when a customer is asked at all.

`definitions` is what `surveys.yml` says and `reading` reads it; `rules` is the life of one survey; `typed` finds an
answer in words; `selection` decides whether to ask.
"""
