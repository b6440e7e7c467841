"""The way a message travels, a module a step: intake, turn, effects, apply, timers, planner, delivery."""
