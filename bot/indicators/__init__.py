"""Indicators: what ratings and operations add up to, with how many they rest on and how sure they are.

`statistics` has the intervals; `coverage` says who was asked and who answered; `tree` is what `indicators.yml` says and
`reading` reads it; `measures` finds each leaf's figures; `rollup` adds them up; `correlation` names leaves too alike.
"""
