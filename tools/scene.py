# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

"""
What C{make run} and C{make fleet} share: the port of a VM, and a program that is
started and ended.
"""

from __future__ import annotations

import signal
import subprocess
from typing import IO

PATIENCE = 10.0
"""Seconds that a program may need to end."""


def addVM(number: int, bridge: str = "br-int") -> tuple[str, ...]:
    """
    The arguments of ovs-vsctl that add the port of a VM.
    """
    name = f"tap-vm{number}"
    return (
        *("add-port", bridge, name, "--", "set", "Interface", name),
        f"external_ids:iface-id=0e9f6b40-5d1c-4f0f-9a62-5a3c7a1b{number:04x}",
    )


def removeVM(number: int, bridge: str = "br-int") -> tuple[str, ...]:
    """
    The arguments of ovs-vsctl that remove the port of a VM.
    """
    return ("del-port", bridge, f"tap-vm{number}")


def begin(*command: str, output: IO[bytes] | int | None = None) -> subprocess.Popen[bytes]:
    """
    Start a program that Ctrl-C does not reach: whoever started it ends it.

    @param output: where it writes its output and its errors, if not to ours.
    """
    errors = None if output is None else subprocess.STDOUT
    return subprocess.Popen(command, stdout=output, stderr=errors, start_new_session=True)


def finish(program: subprocess.Popen[bytes], number: int = signal.SIGINT) -> None:
    """
    End a program in the way that Ctrl-C does, or with another signal.
    """
    if program.poll() is None:
        program.send_signal(number)
        try:
            program.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
