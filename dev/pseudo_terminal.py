"""Runs a program in a pseudo-terminal: pseudo_terminal.py COLUMNS ROWS PROGRAM ARGUMENT...

What it prints goes to stdout as it comes; a line "kill SIGNAL" on stdin sends it a signal, "type TEXT" types.
Its exit code is ours. Python has pseudo-terminals at hand; Node.js needs a native module for them.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios

columns, rows, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
child, master = pty.fork()
if child == 0:
    # Until it is told the size, so that the program never sees another.
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execvp(program[0], program)

sources, commands = [master, 0], b""
while master in sources:
    for ready in select.select(sources, [], [])[0]:
        try:
            chunk = os.read(ready, 65536)
        except OSError:  # Linux says EIO where the other side is closed.
            chunk = b""
        if not chunk:
            sources.remove(ready)
        elif ready == master:
            os.write(1, chunk)
        else:
            *lines, commands = (commands + chunk).split(b"\n")
            for line in lines:
                verb, _, what = line.decode().partition(" ")
                if verb == "kill":
                    os.kill(child, getattr(signal, what))
                elif verb == "type":
                    os.write(master, what.encode().decode("unicode_escape").encode())
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
