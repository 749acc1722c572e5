"""Recordings: what was said between one client and one server, kept line by line.

`format` says what a line is, `redaction` keeps secrets out, `writer` writes files, `reader`
reads them. Import the one you need; none of them connects, waits or looks at a clock.
"""
