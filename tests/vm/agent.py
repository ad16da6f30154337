#!/usr/bin/python3
"""Runs in the guest: takes commands from the host through a virtio port, one at a time."""

import base64
import json
import os
import signal
import subprocess
import time

PORT = "/dev/virtio-ports/agent"


def answer(request):
    """Run one command; a command that takes too long is killed and has status None."""
    stdin = base64.b64decode(request.get("stdin", ""))
    with subprocess.Popen(request["argv"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          start_new_session=True) as process:
        try:
            out, err = process.communicate(stdin, request["timeout"])
            status = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its children hold the pipes too
            out, err = process.communicate()
            status = None
    return {"status": status, "out": base64.b64encode(out).decode(), "err": base64.b64encode(err).decode()}


def main():
    """Serve for ever."""
    # The port can be opened only once, and what is written before it is there would be lost.
    port = os.open(PORT, os.O_RDWR)
    os.write(port, b'{"ready": true}\n')
    pending = b""
    while True:
        while b"\n" not in pending:
            data = os.read(port, 65536)
            if not data:
                time.sleep(0.1)  # nobody is at the other end
            pending += data
        line, pending = pending.split(b"\n", 1)
        try:
            reply = answer(json.loads(line.decode()))
        except OSError as error:
            reply = {"status": 127, "out": "", "err": base64.b64encode(str(error).encode()).decode()}
        data = json.dumps(reply).encode() + b"\n"
        while data:
            data = data[os.write(port, data):]


main()
