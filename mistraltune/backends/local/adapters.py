"""Several adapters on one base in memory."""

from __future__ import annotations

from typing import Any

from mistraltune.backends.local.chat_model import LocalChatModel
from mistraltune.backends.local.loading import load_adapter
from mistraltune.interfaces import ChatModel, Renderer
from mistraltune.results import ModelRef


class LocalSharedBase:
    """The SharedBase of the local backend.

    Args:
        ref: The base, quantised as `ref` says; an adapter of `ref` is left out.
    """

    def __init__(self, ref: ModelRef) -> None:
        self._chat_model = LocalChatModel(ref.base)
        self._names: dict[str, str] = {}
        self._is_bare = False

    @property
    def renderer(self) -> Renderer:
        """The renderer that the base and its adapters share."""
        return self._chat_model.renderer

    def answering_as(self, adapter: str | None) -> ChatModel:
        """The model with the adapter of that directory, read when it is first wanted, or without one."""
        if adapter is None:
            if self._names:
                self._chat_model.model.base_model.disable_adapter_layers()
                self._is_bare = True
            return self._chat_model
        if adapter not in self._names:
            name = f"adapter-{len(self._names)}"
            self._chat_model.model = load_adapter(self._chat_model.model, adapter, name=name)
            self._names[adapter] = name
        model: Any = self._chat_model.model
        if self._is_bare:
            model.base_model.enable_adapter_layers()
            self._is_bare = False
        model.set_adapter(self._names[adapter])
        model.eval()
        return self._chat_model

    def close(self) -> None:
        """Free the model's memory."""
        self._chat_model.close()
