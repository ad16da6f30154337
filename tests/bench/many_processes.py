"""Becomes a thousand processes, of which ten hold a database; they end with standard input."""

import mmap
import os
import sys

with open(sys.argv[1], "rb") as stream:
    for number in range(1000):
        if os.fork() == 0:
            held = mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) if number < 10 else None
            sys.stdin.read()
            os._exit(0)
print("ready", flush=True)
sys.stdin.read()
