"""Tags what crashes again and again, and says how often it did."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import edit, event

at_least = 5


class Stage(exports.Stage):
    def configure(self, config: str) -> None:
        global at_least
        at_least = json.loads(config).get("at_least", 5)
        if not isinstance(at_least, int):
            raise Err("`at_least`: expected a whole number")

    def process(self) -> None:
        if event.reason() != "BackOff":
            return
        times = event.count()
        if times >= at_least:
            edit.append_string("/tags", "crash-loop")
            edit.set_integer("/crashes", times)
