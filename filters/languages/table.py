#!/usr/bin/env python3
"""table.py WEIR MODULE...: what a filter costs in each language, as a table.

Each module is loaded without and with what weir keeps of it, and then called for 200,000 events.
What an event costs is what it costs more than without any stage. CPU times are of the whole
process, user and system; memory is the most that was resident.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EVENTS = 200_000
PADDING = "x" * 650  # An event of 1.1 KB.


def events(count):
    for number in range(count):
        kind = "Warning" if number % 2 else "Normal"
        reason = ("BackOff", "Pulled", "Killing", "Failed")[number % 4]
        yield json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {
                    "name": f"web.{number}",
                    "namespace": "shop",
                    "uid": f"0f1e2d3c-0000-4000-8000-{number:012}",
                    "resourceVersion": str(number),
                },
                "involvedObject": {"kind": "Pod", "namespace": "shop", "name": f"web-{number % 50}"},
                "type": kind,
                "reason": reason,
                "message": PADDING,
                "count": number % 10,
                "lastTimestamp": "2026-01-02T03:04:05Z",
            },
            separators=(",", ":"),
        )


def run(weir, folder, module, file):
    """Runs a pipeline over a file of events. Answers CPU seconds, wall seconds and MiB."""
    config = folder / "pipeline.toml"
    stage = f'[[stage]]\nname = "it"\nmodule = "{module}"\nmemory = "64MiB"\nwasi = "stub"\n' if module else ""
    config.write_text(
        f'name = "table"\nworkers = 1\ncache = "{folder}/cache"\n'
        f'source = {{ kind = "file", path = "{file}" }}\n'
        f'sink = {{ kind = "file", path = "/dev/null" }}\n{stage}'
    )
    begun = time.monotonic()
    process = subprocess.Popen([weir, "run", "--config", config], stderr=subprocess.PIPE)
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{module}: {said.decode()}")
    # With those of weir's child, which compiles.
    return usage.ru_utime + usage.ru_stime, time.monotonic() - begun, usage.ru_maxrss / 1024


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    weir, modules = os.path.abspath(sys.argv[1]), [os.path.abspath(path) for path in sys.argv[2:]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, many = folder / "one.jsonl", folder / "many.jsonl"
        one.write_text(next(events(1)) + "\n")
        with many.open("w") as file:
            file.writelines(line + "\n" for line in events(EVENTS))
        none = run(weir, folder, None, many)[0] - run(weir, folder, None, one)[0]
        print("| module | size | compiling: CPU, memory | start, warm | memory, warm | an event |")
        print("|---|---|---|---|---|---|")
        for module in modules:
            cold = run(weir, folder, module, one)
            warm = run(weir, folder, module, one)
            all_of_them = run(weir, folder, module, many)
            cost = (all_of_them[0] - warm[0] - none) / EVENTS * 1e6
            size = os.path.getsize(module) / 1024
            shown = f"{size:.0f} KiB" if size < 1024 else f"{size / 1024:.1f} MiB"
            print(
                f"| {Path(module).stem} | {shown} | {cold[0] - warm[0]:.1f} s, {cold[2]:.0f} MiB "
                f"| {warm[1] * 1000:.0f} ms | {all_of_them[2]:.0f} MiB | {cost:.2f} µs |",
                flush=True,
            )


if __name__ == "__main__":
    main()
