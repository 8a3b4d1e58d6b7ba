"""How large a model is, known from its files: its linear layers, its experts, and the rest of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mistraltune.backends.local.inspecting import read_json


class Linear(NamedTuple):
    """A linear layer of a model's text part.

    Attributes:
        name: The last part of its name, as adapters target it.
        inputs: Features that it reads.
        outputs: Features that it gives.
    """

    name: str
    inputs: int
    outputs: int

    @property
    def num_weights(self) -> int:
        """Weights of the layer."""
        return self.inputs * self.outputs


@dataclass(frozen=True)
class Dimensions:
    """The numbers in a model's `config.json` that decide its size; its text part's, where it has others.

    Attributes:
        layers: How many there are.
        hidden: Features of a token between layers.
        inner: Features inside the MLP of a layer, or of each expert.
        queries: Features of all query heads.
        keys: Features of all key heads; as many as of all value heads.
        vocabulary: Tokens.
        is_tied: Whether the head is the embedding.
        experts: Of a layer; 0 where its MLP is one.
        experts_per_token: How many of them read a token.
        image_weights: Weights of the parts that see images.
    """

    layers: int
    hidden: int
    inner: int
    queries: int
    keys: int
    vocabulary: int
    is_tied: bool
    experts: int = 0
    experts_per_token: int = 0
    image_weights: int = 0

    @property
    def layer(self) -> list[Linear]:
        """The linear layers of one layer; of a mixture, those outside its experts."""
        attention = [
            Linear("q_proj", self.hidden, self.queries),
            Linear("k_proj", self.hidden, self.keys),
            Linear("v_proj", self.hidden, self.keys),
            Linear("o_proj", self.queries, self.hidden),
        ]
        mlp = [
            Linear("gate_proj", self.hidden, self.inner),
            Linear("up_proj", self.hidden, self.inner),
            Linear("down_proj", self.inner, self.hidden),
        ]
        return attention if self.experts else attention + mlp

    @property
    def expert_parameters(self) -> list[Linear]:
        """What one expert of a layer holds, by the names under which transformers holds all of them together."""
        if not self.experts:
            return []
        return [
            Linear("experts.gate_up_proj", self.hidden, 2 * self.inner),
            Linear("experts.down_proj", self.inner, self.hidden),
        ]

    @property
    def linear_weights(self) -> int:
        """Weights of all linear layers of the text part, the head left out: those that are quantised."""
        return self.layers * sum(linear.num_weights for linear in self.layer)

    @property
    def expert_weights(self) -> int:
        """Weights of all experts."""
        return self.layers * self.experts * sum(linear.num_weights for linear in self.expert_parameters)

    @property
    def other_weights(self) -> int:
        """Weights of embedding, head, norms, routers, and the parts that see images."""
        embeddings = self.vocabulary * self.hidden * (1 if self.is_tied else 2)
        norms = (2 * self.layers + 1) * self.hidden
        routers = self.layers * self.experts * self.hidden
        return embeddings + norms + routers + self.image_weights

    def adapted(self, targets: tuple[str, ...], parameters: tuple[str, ...]) -> Iterator[tuple[Linear, int]]:
        """The kinds of weights that get an adapter, each with how many there are of it in the model."""
        for linear in self.layer:
            if linear.name in targets:
                yield linear, self.layers
        for linear in self.expert_parameters:
            if linear.name in parameters:
                yield linear, self.layers * self.experts


def read_dimensions(folder: Path) -> Dimensions | None:
    """The dimensions of the model in `folder`; None where its configuration names them otherwise."""
    content = read_json(folder / "config.json")
    text = content.get("text_config") if isinstance(content.get("text_config"), dict) else content
    assert isinstance(text, dict)
    try:
        heads = int(text["num_attention_heads"])
        head_size = int(text.get("head_dim") or text["hidden_size"] // heads)
        experts = int(text.get("num_local_experts") or 0)
        return Dimensions(
            layers=int(text["num_hidden_layers"]),
            hidden=int(text["hidden_size"]),
            inner=int(text["intermediate_size"]),
            queries=heads * head_size,
            keys=int(text.get("num_key_value_heads") or heads) * head_size,
            vocabulary=int(text["vocab_size"]),
            is_tied=bool(content.get("tie_word_embeddings", text.get("tie_word_embeddings", False))),
            experts=experts,
            experts_per_token=int(text.get("num_experts_per_tok") or 0) if experts else 0,
            image_weights=count_image_weights(content, hidden=int(text["hidden_size"])),
        )
    except (KeyError, TypeError, ValueError):
        return None


def count_image_weights(content: dict[str, Any], *, hidden: int) -> int:
    """Weights of a Pixtral vision tower and of the projector behind it; 0 where the model has none.

    Args:
        content: The model's configuration.
        hidden: Features of a token of the text part.
    """
    vision = content.get("vision_config")
    if not isinstance(vision, dict):
        return 0
    width, inner = int(vision["hidden_size"]), int(vision["intermediate_size"])
    patch = int(vision["patch_size"]) ** 2 * int(vision.get("num_channels", 3)) * width
    tower = int(vision["num_hidden_layers"]) * (4 * width * width + 3 * width * inner + 2 * width) + patch + width
    merging = width * width * int(content.get("spatial_merge_size", 2)) ** 2
    return tower + merging + width * hidden + hidden * hidden + width
