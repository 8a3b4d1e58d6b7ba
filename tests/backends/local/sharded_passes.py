"""A process of `test_shards`: passes through a base in shards, against the same passes through a whole one."""

from __future__ import annotations

import json
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mistraltune.backends.local import LocalTrainConfig
from mistraltune.backends.local.batching import Batch, lay_out, split_passes
from mistraltune.backends.local.loading import quiet_libraries
from mistraltune.backends.local.log_probs import TrainedTokens, score_trained_tokens
from mistraltune.backends.local.sharding import Formation, Sharding
from mistraltune.backends.local.shards import idle_passes, let_go, load_in_turns, make_mesh, shard_base
from mistraltune.backends.local.team import Team, own_team
from mistraltune.backends.local.trainer import LocalTrainer
from mistraltune.configuring import load_config
from mistraltune.data.rendered import Rendered

CPU = torch.device("cpu")


def make_batch(lengths: list[int], *, seed: int) -> Batch:
    """Sequences of random tokens, each with a pass of its own, of which all but the first four are trained."""
    numbers = torch.Generator().manual_seed(seed)
    sequences = [
        Rendered(torch.randint(5, 1000, (length,), generator=numbers).tolist(), [index > 3 for index in range(length)])
        for length in lengths
    ]
    return lay_out(sequences, pass_length=1)


def make_model(config: LocalTrainConfig, sharding: Sharding | None, team: Team, mesh: Any) -> Any:
    """The model with adapters that do something, in shards or whole."""
    trainer = LocalTrainer(config, Formation(team.size, team.size, sharding))
    dtype = getattr(torch, config.local.dtype)
    torch.manual_seed(5)
    model, _ = trainer.adapt_base(dtype, CPU, held_on=CPU)
    for name, parameter in sorted(model.named_parameters()):
        if parameter.requires_grad and "magnitude" not in name:
            torch.nn.init.normal_(parameter, std=0.05)
    if sharding:
        shard_base(model, sharding, mesh=mesh, device=CPU)
    score_trained_tokens(model.get_base_model())
    if config.local.activation_checkpointing:
        model.get_base_model().activation_checkpointing_enable()
    return model


def compute(model: Any, batch: Batch, idle: list[dict[str, Any]]) -> list[torch.Tensor]:
    """Scores in evaluation, then scores and gradients in training."""
    found: list[torch.Tensor] = []
    for is_training in (False, True, True):  # twice: the first pass of FSDP is another than those that follow
        model.train(is_training)
        model.zero_grad()
        with torch.set_grad_enabled(is_training):
            for one_pass in split_passes(batch):
                scores: TrainedTokens = model(**one_pass)
                found.append(scores.log_probs.detach())
                if is_training:
                    (-scores.log_probs.sum()).backward()
            for one_pass in idle:
                nothing = model(**one_pass).log_probs.sum()
                if is_training:
                    nothing.backward()
        if not is_training:
            let_go(model)
        found += [each.grad.clone() for _, each in sorted(model.named_parameters()) if each.grad is not None]
    return found


def bytes_here(model: Any) -> int:
    """What of the base this process holds."""
    return sum(
        (local if (local := getattr(each, "_local_tensor", None)) is not None else each).nbytes
        for each in model.get_base_model().parameters()
        if not each.requires_grad
    )


def furthest(found: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    """The largest difference; NaN where there is one, which `max` of floats may pass over."""
    return float(torch.stack([(one - other).abs().max() for one, other in zip(found, expected, strict=True)]).max())


def compare(team: Team, mesh: Any, case: dict[str, Any]) -> dict[str, Any]:
    """How far a base in shards is from a whole one, and what of it this process holds."""
    config = load_config(
        LocalTrainConfig, overrides=["lora.dropout=0", *case["overrides"]], options={"data.train_file": "none"}
    ).config
    # Three passes here, one there: the other goes through the layers for nothing.
    batch = make_batch([9, 30, 17] if team.is_leader else [12], seed=team.rank)
    whole = make_model(config, None, team, mesh)
    expected = compute(whole, batch, [])
    held_whole = bytes_here(whole)
    load = partial(make_model, config, Sharding(**case.get("sharding", {})), team, mesh)
    sharded = load_in_turns(load, team)
    held = bytes_here(sharded)
    found = compute(sharded, batch, list(idle_passes(batch, team)))
    num_gradients = sum(each.ndim > 1 for each in found)
    left = bytes_here(sharded)
    return {
        "furthest": furthest(found, expected),
        "num_gradients": num_gradients,
        "share": held / held_whole,
        "left": left / held_whole,
    }


def main() -> None:
    """All cases of a JSON file, one after the other; the first process prints what came of each."""
    quiet_libraries()
    team = own_team()
    team.call() if team.is_leader else team.is_called()
    mesh = make_mesh(team, CPU)
    for name, case in json.loads(Path(sys.argv[1]).read_text()).items():
        try:
            outcome = compare(team, mesh, case)
        except Exception as error:  # the others may be inside a sum: nothing that follows would be heard
            print(json.dumps({name: {"error": repr(error), "trace": traceback.format_exc()}}), flush=True)
            raise
        outcomes = team.gather(outcome)
        if team.is_leader:
            print(json.dumps({name: outcomes}), flush=True)
    team.leave()


if __name__ == "__main__":
    main()
