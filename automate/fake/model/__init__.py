"""A node and a panel that answer anything, as the real ones do: not one recording, a model.

`daemon` is Wings for one server and `panel` the API in front of it, both pure; `game` is what
runs in the container; `world` ties the three together. `conformance` holds the model to the
real recordings. Import the one you need; docs/model.md tells how they fit.
"""
