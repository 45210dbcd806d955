"""Makes the namespace the label `team`. What a module may ask for and do is in .weir/wit."""

from wit_world import exports
from wit_world.imports import edit, event


class Stage(exports.Stage):
    def configure(self, config: str) -> None:
        """Once, at the start. `config` is JSON: what the stage in pipeline.toml has as `config`."""

    def process(self) -> None:
        """For each event."""
        edit.set_string("/metadata/labels/team", event.namespace())
