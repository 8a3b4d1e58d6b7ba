"""The hand-written example is data that can be trained on."""

from __future__ import annotations

from pathlib import Path

from mistraltune.data.conversation_file import ConversationFile
from mistraltune.data.rendering import MistralRenderer

ROWS = Path(__file__).parents[2] / "examples" / "company_qa" / "rows.jsonl"


def test_every_row_is_read_and_rendered_and_none_is_twice_there() -> None:
    rows = ConversationFile.open(ROWS)
    assert len(rows) == 32
    assert not rows.warnings
    renderer = MistralRenderer.from_name("v3")
    rendered = [sequence for row in rows for sequence in renderer.render(row)]
    assert len(rendered) == 32
    assert all(any(sequence.loss_mask) for sequence in rendered)
    assert len({row.messages for row in rows}) == 32


def test_both_languages_and_rows_with_an_input_are_there() -> None:
    asked = [row.messages[0].content for row in ConversationFile.open(ROWS)]
    assert sum("?" in text and " " in text and any(char in text for char in "éèêàçù") for text in asked) >= 8
    assert sum("\n" in text for text in asked) >= 6  # an instruction, then its input
