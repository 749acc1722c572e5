"""A panel and a node that are not real: a recording played back to a live client.

`script` says what a recording demands, `tape` plays it (both pure), `view` remembers what has
been shown; `tokens` and `panel` answer for the panel; `http` and `node` carry it all over a
network, which may be the one of `network`, in memory. `replay` is what whoever opened it holds,
`stall` why it does not go on; `faults` make things go wrong. Import the one you need.
"""
