"""Runs a program on a terminal that goes away once a line comes on standard input. Then it prints "gone", and last the exit code of
the program. It is not the terminal by which the program is controlled: there is no SIGHUP."""

import os
import select
import subprocess
import sys

ours, its = os.openpty()
program = subprocess.Popen(sys.argv[1:], stdin=its, stdout=its, stderr=its, start_new_session=True)
os.close(its)
while True:
    ready, _, _ = select.select([ours, 0], [], [])
    if 0 in ready:
        break
    # What is shown is read, so that nothing waits for a reader.
    os.read(ours, 65536)
os.close(ours)
print("gone", flush=True)
print(program.wait(), flush=True)
