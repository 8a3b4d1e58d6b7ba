"""How other processes open a renderer of their own, and know that it is the same one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from mistraltune.data.conversation import Conversation
from mistraltune.data.rendered import Rendered

Render = Callable[[Conversation], list[Rendered]]
"""A renderer's `render`."""


class RowRenderer(Protocol):
    """What of a Renderer is needed here."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the tokenizer or the template does."""
        ...

    def render(self, conversation: Conversation) -> list[Rendered]:
        """Token ids and loss masks of a row."""
        ...


@dataclass(frozen=True, slots=True)
class Reopening:
    """How another process opens a renderer.

    Attributes:
        open: Opens it; can be pickled, or else there will be no other process.
        fingerprint: The renderer's, by which the other process knows that it has the same one.
    """

    open: Callable[[], RowRenderer | None]
    fingerprint: str

    def render(self) -> Render:
        """The `render` of a renderer that is opened here.

        Raises:
            ValueError: It is another one.
        """
        renderer = self.open()
        if renderer is None or renderer.fingerprint != self.fingerprint:
            raise ValueError("this is another renderer")
        return renderer.render
