"""Run in a fresh interpreter: which points does a searcher propose there?

`python -m mnistarena.testing.search_probe SOURCE NAME PARAMS SPACE` prints a JSON object. SOURCE is the plugin's module
by its full name, or the path of a single-file plugin; PARAMS is JSON; SPACE is one of searches.SPACES.
"""

from __future__ import annotations

import json
import sys

from mnistarena.plugin.search import SearchTask
from mnistarena.plugin.space import Point
from mnistarena.testing.import_probe import load
from mnistarena.testing.searches import SPACES, eventful, search


def main(source: str, name: str, params: str, space_name: str) -> None:
    """Print `points`, or `error`, why the searcher could not be tried."""
    try:
        print(json.dumps({"points": points(source, name, params, space_name)}))
    except Exception as problem:
        print(json.dumps({"error": f"{type(problem).__name__}: {problem}"}))


def points(source: str, name: str, params: str, space_name: str) -> list[Point]:
    """The points of a short search."""
    provided = {definition.name: definition for definition in load(source).arena_searchers()}
    definition, space = provided[name], SPACES[space_name]
    task = SearchTask(space, 0, higher_is_better=True)
    return search(definition.start(definition.params.model_validate_json(params), task), space, 6, outcome=eventful)


if __name__ == "__main__":
    main(*sys.argv[1:])
