"""One file a peer: how it is built from the numbers of a problem, at its best, and called."""
