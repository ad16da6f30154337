"""Change a host: its policy store, PID 1 and sockets, and the sequence of a repair."""
