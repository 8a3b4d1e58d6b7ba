"""How much memory a training takes, estimated from the configuration, the model's dimensions and the longest batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mistraltune.backends.local.packing import CPU_PASS_LENGTH, pack
from mistraltune.backends.local.sharding import ALONE, Formation
from mistraltune.backends.local.sizing import Dimensions

if TYPE_CHECKING:
    from mistraltune.backends.local import LocalTrainConfig
    from mistraltune.config import Optimizer

FLOAT32 = 4
"""Bytes of a number; adapters, their gradients and the optimizer's state are in float32."""

QUANTISED_BYTES = {"nf4": 0.5 + 1 / 64 + 4 / 64 / 256, "int8": 1.0}
"""Bytes of a weight: 4 bits and, for each 64 of them, one byte of scale that is scaled itself; 8 bits."""

STATE_BYTES: dict[Optimizer, float] = {
    "adamw_torch": 8,
    "adamw_torch_fused": 8,
    "adamw_8bit": 2,
    "paged_adamw_32bit": 8,
    "paged_adamw_8bit": 2,
    "ademamix": 12,
    "ademamix_8bit": 3,
    "paged_ademamix_32bit": 12,
    "paged_ademamix_8bit": 3,
    "lion_32bit": 4,
    "lion_8bit": 1,
    "paged_lion_32bit": 4,
    "paged_lion_8bit": 1,
    "adafactor": 0.1,  # a row and a column for each matrix
    "sgd": 0,
    "adagrad": 4,
    "rmsprop": 4,
}
"""Bytes of an optimizer's state for each trained weight."""

PROCESS_BYTES = {"cpu": 700_000_000, "gpu": 600_000_000}
"""Python with torch, transformers and TRL on a CPU (measured); on a GPU, CUDA's own context."""

LEFT_BY_LOADING = 1.4
"""On a CPU, bytes that quantising leaves in the allocator for each byte of the 16-bit weights that go through it."""

RETURNED_AT_ONCE = 2**25
"""Bytes from which the allocator gives an array back to the system when it is freed (glibc's largest threshold)."""

CPU_FRAGMENTATION = 1.15
"""On a CPU, what the allocator holds of memory that was given back (measured; it varies from run to run)."""

ROWS_OF_LOGITS = 256
"""As in `log_probs`."""


class Device(NamedTuple):
    """What a training computes on.

    Attributes:
        kind: `gpu` or `cpu`.
        number_bytes: Bytes of a number that is computed with: 2 in bf16, 4 in float32.
        free: Bytes of memory that are free on it; None where nothing says so.
        formation: The processes that train together, one a device.
    """

    kind: Literal["gpu", "cpu"]
    number_bytes: int
    free: int | None
    formation: Formation = ALONE


class Batch(NamedTuple):
    """A micro-step, in tokens.

    Attributes:
        rows: Tokens of each row.
        longest: Tokens of the longest sequence of the whole data set.
    """

    rows: Sequence[int]
    longest: int


@dataclass(frozen=True)
class Memory:
    """An estimate for each process, in bytes.

    Attributes:
        device: `gpu` or `cpu`.
        weights: Of the frozen base; in shards, this process's and what is whole at one time.
        experts: That part of it which no quantisation makes smaller.
        adapters: With their gradients.
        optimizer: Its state.
        activations: What the longest pass keeps for its backward pass, and what both compute on the way.
        process: What the libraries take by themselves, and leave behind when they load a model.
        free: Free on the device, if that is known.
        tokens: Of the longest pass through the model.
        formation: The processes.
    """

    device: Literal["gpu", "cpu"]
    weights: int
    experts: int
    adapters: int
    optimizer: int
    activations: int
    process: int
    free: int | None
    tokens: int
    formation: Formation

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.adapters + self.optimizer + self.activations + self.process

    def figures(self) -> dict[str, Any]:
        """JSON-like, bytes under names that say so."""
        return {
            "device": self.device,
            "weights_bytes": self.weights,
            "adapters_bytes": self.adapters,
            "optimizer_bytes": self.optimizer,
            "activations_bytes": self.activations,
            "process_bytes": self.process,
            "total_bytes": self.total,
            "free_bytes": self.free,
            "longest_pass_tokens": self.tokens,
            "num_processes": self.formation.num_processes,
            "is_sharded": self.formation.sharding is not None,
        }


def estimate_memory(config: LocalTrainConfig, dimensions: Dimensions, batch: Batch, device: Device) -> Memory:
    """What a training takes at its longest batch."""
    num_trained = count_adapter_weights(config, dimensions)
    tokens = longest_pass(config, batch, device)
    return Memory(
        device=device.kind,
        weights=weight_bytes(config, dimensions, device),
        experts=device.number_bytes * dimensions.expert_weights,
        adapters=2 * FLOAT32 * num_trained,
        optimizer=round(STATE_BYTES[config.training.optimizer] * num_trained),
        activations=activation_bytes(config, dimensions, tokens, device),
        process=PROCESS_BYTES[device.kind] + loading_bytes(config, dimensions, device),
        free=device.free,
        tokens=tokens,
        formation=device.formation,
    )


def weight_bytes(config: LocalTrainConfig, dimensions: Dimensions, device: Device) -> int:
    """Bytes of the base that a process holds at one time."""
    linear = QUANTISED_BYTES.get(config.quantization, device.number_bytes) * dimensions.linear_weights
    layers = linear + device.number_bytes * dimensions.expert_weights
    rest = device.number_bytes * dimensions.other_weights
    sharding = device.formation.sharding
    if sharding is None:
        return round(layers + rest)
    scales = (QUANTISED_BYTES["nf4"] - 0.5) * dimensions.linear_weights if config.quantization == "nf4" else 0
    shard = (layers - scales + rest) / device.formation.num_processes
    if sharding.offload_params and device.kind == "gpu":
        shard = 0
    head = device.number_bytes * dimensions.vocabulary * dimensions.hidden
    # A layer is put together while the one before it computes.
    whole = (layers - scales) * (min(2 / dimensions.layers, 1) if sharding.reshard_after_forward else 1)
    return round(scales + shard + head + whole)


def loading_bytes(config: LocalTrainConfig, dimensions: Dimensions, device: Device) -> int:
    """Bytes that loading leaves: a layer that is quantised passes through a CPU's memory in the precision of before."""
    if device.kind == "gpu" or config.quantization == "none":
        return 0
    small = [linear.num_weights for linear in dimensions.layer if 2 * linear.num_weights < RETURNED_AT_ONCE]
    return round(LEFT_BY_LOADING * 2 * dimensions.layers * sum(small))


def count_adapter_weights(config: LocalTrainConfig, dimensions: Dimensions) -> int:
    """Weights of the adapters: r x (inputs + outputs) for each matrix; DoRA adds a magnitude for each output."""
    lora = config.lora
    return sum(
        count * (lora.r * (linear.inputs + linear.outputs) + (linear.outputs if lora.use_dora else 0))
        for linear, count in dimensions.adapted(lora.target_modules, lora.target_parameters)
    )


def longest_pass(config: LocalTrainConfig, batch: Batch, device: Device) -> int:
    """Tokens of the longest pass of a batch through the model, see `LocalOptions.pass_length`."""
    if not config.training.packing:
        return batch.longest
    lengths = [
        length for row in batch.rows for length in (*[batch.longest] * (row // batch.longest), row % batch.longest)
    ]
    room = config.local.pass_length or (CPU_PASS_LENGTH if device.kind == "cpu" else sum(lengths))
    return max(sum(lengths[index] for index in portion) for portion in pack(lengths, room))


def activation_bytes(config: LocalTrainConfig, dimensions: Dimensions, tokens: int, device: Device) -> int:
    """What is in memory of a pass when its backward pass begins, and the largest of what that computes on the way."""
    width, hidden = device.number_bytes, dimensions.hidden
    readers = max(1, dimensions.experts_per_token)
    norms = 2 * (FLOAT32 + width) * hidden  # each keeps its input in float32
    attention = width * (3 * dimensions.queries + 2 * dimensions.keys)
    mlp = width * 4 * dimensions.inner * readers  # gate, its activation, up, and their product
    layer = tokens * (norms + attention + mlp) + kept_by_peft(config, dimensions, tokens, device)
    if config.lora.target_parameters:  # PEFT computes with the sum of weight and adapter, a tensor of the same size
        layer += width * dimensions.expert_weights // dimensions.layers
    if config.local.activation_checkpointing:
        # bitsandbytes keeps the inputs of its 8-bit layers where checkpointing does not see them.
        inputs = 2 * hidden + dimensions.queries + dimensions.inner if config.quantization == "int8" else 0
        kept = dimensions.layers * tokens * (hidden + inputs) * width + layer
    else:
        kept = dimensions.layers * layer
    gradients = tokens * width * 3 * dimensions.inner * readers
    dequantised = width * hidden * dimensions.inner if config.quantization != "none" else 0
    logits = min(tokens, ROWS_OF_LOGITS) * dimensions.vocabulary * (2 * FLOAT32 + width)
    spread = CPU_FRAGMENTATION if device.kind == "cpu" else 1
    return round(spread * (kept + max(gradients + dequantised, logits, norm_bytes(config, dimensions))))


def kept_by_peft(config: LocalTrainConfig, dimensions: Dimensions, tokens: int, device: Device) -> int:
    """Bytes that the adapters of a layer keep of a pass, where PEFT computes them.

    Ours keep nothing that is not kept anyway. PEFT keeps a copy of each input as the adapter reads it, in float32 on a
    CPU and in bf16 under CUDA's autocast, and which of its numbers are dropped. DoRA scales what layer and adapter give
    apart, and keeps both; with dropout it computes the layer once more on what is left of the input, from a copy of the
    weight that is kept too.
    """
    lora = config.lora
    if device.kind == "cpu" and config.quantization != "int8" and not lora.use_dora:
        return 0
    adapted = [linear for linear in dimensions.layer if linear.name in lora.target_modules]
    width = FLOAT32 if device.kind == "cpu" else 2
    copies = 2 if lora.dropout and device.kind == "cpu" else 1
    kept = tokens * sum(linear.inputs for linear in adapted) * (copies * width + (1 if lora.dropout else 0))
    if lora.use_dora:
        kept += tokens * sum(linear.outputs for linear in adapted) * (device.number_bytes + width)
        is_copied = config.quantization != "none" or device.number_bytes != width or device.kind == "gpu"
        if lora.dropout and is_copied:
            kept += width * sum(linear.num_weights for linear in adapted)
    return kept


def norm_bytes(config: LocalTrainConfig, dimensions: Dimensions) -> int:
    """Bytes in which DoRA finds the norms of one weight, in float32.

    PEFT multiplies the adapter's matrices by way of a unit matrix, and adds the weight: both, the product, the scaled
    product and the sum are there at once.
    """
    if not config.lora.use_dora:
        return 0
    adapted = (linear for linear, _ in dimensions.adapted(config.lora.target_modules, ()))
    return max((FLOAT32 * (linear.inputs**2 + 4 * linear.num_weights) for linear in adapted), default=0)


def ways_to_save(
    config: LocalTrainConfig, dimensions: Dimensions, batch: Batch, device: Device
) -> Iterator[tuple[str, int]]:
    """What to change for a training to take less, with the bytes that it saves; what changes the result least first."""
    now = estimate_memory(config, dimensions, batch, device)
    for text, changed, smaller_batch in smaller(config, batch, now):
        saved = now.total - estimate_memory(changed, dimensions, smaller_batch, device).total
        if saved >= now.total // 50:
            yield text, saved


def smaller(config: LocalTrainConfig, batch: Batch, now: Memory) -> Iterator[tuple[str, LocalTrainConfig, Batch]]:
    """Changes to try: in words, and as a configuration with the batch that follows."""
    training, local = config.training, config.local
    half_pass = max(batch.longest, now.tokens // 2)
    if training.packing and half_pass < now.tokens:
        changed = local.model_copy(update={"pass_length": half_pass})
        yield f"local.pass_length={half_pass}", config.model_copy(update={"local": changed}), batch
    if not local.activation_checkpointing:
        changed = local.model_copy(update={"activation_checkpointing": True})
        yield "local.activation_checkpointing=true", config.model_copy(update={"local": changed}), batch
    if training.batch_size > 1:
        step = training.batch_size * training.gradient_accumulation_steps
        rows = next(rows for rows in range(training.batch_size // 2, 0, -1) if step % rows == 0)
        steps = step // rows
        both = {"batch_size": rows, "gradient_accumulation_steps": steps}
        text = f"training.batch_size={rows} with training.gradient_accumulation_steps={steps}"
        yield (
            text,
            config.model_copy(update={"training": training.model_copy(update=both)}),
            Batch(batch.rows[:rows], batch.longest),
        )
    if config.quantization != "nf4":
        yield "quantization=nf4", config.model_copy(update={"quantization": "nf4"}), batch
    if training.optimizer == "adamw_torch":
        eight = training.model_copy(update={"optimizer": "adamw_8bit"})
        yield "training.optimizer=adamw_8bit", config.model_copy(update={"training": eight}), batch
    if config.lora.use_dora and config.lora.dropout:
        whole = config.lora.model_copy(update={"dropout": 0.0})
        yield "lora.dropout=0", config.model_copy(update={"lora": whole}), batch
    half_row = batch.longest // 2
    shorter = Batch([min(row, half_row) for row in batch.rows], half_row)
    yield f"data.max_length={half_row} with data.on_too_long=truncate", config, shorter
    if config.lora.r > 1:
        half = config.lora.model_copy(update={"r": config.lora.r // 2})
        yield f"lora.r={half.r}", config.model_copy(update={"lora": half}), batch
