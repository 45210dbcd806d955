"""Drops events of type Normal. What a module may ask for and do is in .weir/wit."""

from wit_world import exports
from wit_world.imports import discard, event
from wit_world.imports.event import EventType

normal = 0


class Stage(exports.Stage):
    def configure(self, config: str) -> None:
        """Once, at the start. `config` is JSON: what the stage in pipeline.toml has as `config`."""
        global normal
        normal = discard.declare("normal")

    def process(self) -> None:
        """For each event."""
        if event.type() == EventType.NORMAL:
            discard.discard(normal)
