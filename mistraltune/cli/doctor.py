"""`mistraltune doctor`: what stands in the way on this machine."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from mistraltune.cli.console import JsonOption, note, print_json, show_beside

MARKS = {"ok": "ok", "warning": "warning", "problem": "PROBLEM"}


def doctor(
    online: Annotated[bool, typer.Option("--online", help="Ask the Hub and your endpoints too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at versions, hardware, disk and keys, and say what to do. No key is shown; nothing is sent without --online.

    Exits 0, or 2 where something is unusable.
    """
    from mistraltune.diagnosis import diagnose
    from mistraltune.errors import ExitCode
    from mistraltune.secrets import masked

    found = list(diagnose(online=online, note=note))
    problems = [finding.name for finding in found if finding.state == "problem"]
    if as_json:
        described = [{name: masked(value) for name, value in dataclasses.asdict(finding).items()} for finding in found]
        print_json({"ok": not problems, "findings": described})
    else:
        width = max(len(finding.name) for finding in found)
        for finding in found:
            show_beside(f"{MARKS[finding.state]:8} {finding.name:{width}}  ", masked(finding.text))
            if finding.hint:
                show_beside(f"{'':8} {'':{width}}  -> ", masked(finding.hint))
    if problems:
        raise typer.Exit(ExitCode.USAGE)
