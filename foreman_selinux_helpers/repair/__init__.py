"""What changes a host: the policy store, PID 1, sockets, and the flow that calls them."""
