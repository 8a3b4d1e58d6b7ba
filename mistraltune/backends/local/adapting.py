"""LoRA adapters around a frozen base, and what of it is trained and quantised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mistraltune.backends.local.inspecting import IMAGE_PARTS, expert_names, refuse_unknown_layers

if TYPE_CHECKING:
    from mistraltune.backends.local import LocalTrainConfig


def attach_adapters(base: Any, config: LocalTrainConfig) -> Any:
    """The PEFT model: the frozen base with float32 LoRA adapters.

    Raises:
        ConfigError: A target module matches no linear layer; the message lists the valid names.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    linear = [name for name, module in base.named_modules() if isinstance(module, torch.nn.Linear)]
    of_images = {name for name in linear if any(part in name for part in IMAGE_PARTS)}
    layers = {name.rsplit(".", 1)[-1] for name in linear if name not in of_images} - {"lm_head"}
    refuse_unknown_layers(config, layers, expert_names([name for name, _ in base.named_parameters()]))
    lora = LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora.r,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        target_modules=list(config.lora.target_modules),
        # The parts that see images have layers of the same names.
        exclude_modules=rf".*({'|'.join(IMAGE_PARTS)})\..*" if of_images else None,
        target_parameters=list(config.lora.target_parameters) or None,
        use_rslora=config.lora.use_rslora,
        use_dora=config.lora.use_dora,
    )
    return get_peft_model(base, lora)


def describe(model: Any) -> dict[str, Any]:
    """Facts that a user checks: adapters, trainable weights, and the share of weights that is quantised."""
    from bitsandbytes.nn import Linear4bit, Linear8bitLt
    from peft.tuners.lora import LoraLayer

    quantised = sum(
        module.in_features * module.out_features
        for module in model.modules()
        if isinstance(module, (Linear4bit, Linear8bitLt))
    )
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    frozen = model.get_base_model().num_parameters() - trainable
    return {
        "num_adapters": sum(isinstance(module, LoraLayer) for module in model.modules()),
        "num_trainable": trainable,
        "num_weights": frozen,
        "quantised_share": round(quantised / frozen, 4),
    }
