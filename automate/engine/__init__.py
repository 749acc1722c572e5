"""Carrying decisions out: against live servers, or on a recording."""
