"""Deciding, without doing: pure machines from inputs and moments to actions."""
