"""Drops events of type Normal, but for the reasons that its configuration keeps."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import discard, event
from wit_world.imports.event import EventType

keep: set[str] = set()
normal = 0


class Stage(exports.Stage):
    def configure(self, config: str) -> None:
        global keep, normal
        settings = json.loads(config)
        reasons = settings.pop("keep_reasons", [])
        for unknown in settings:
            # What is raised here is what the operator reads.
            raise Err(f"unknown field `{unknown}`, expected `keep_reasons`")
        if not isinstance(reasons, list):
            raise Err("`keep_reasons`: expected a list of reasons")
        keep = set(reasons)
        normal = discard.declare("normal")

    def process(self) -> None:
        if event.type() == EventType.NORMAL and not (keep and event.reason() in keep):
            discard.discard(normal)
