"""What every ChatModel owes those who ask it, built in or from a plugin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from faulty_api import write_endpoints
from mistraltune_echo import EchoBackend
from serving import KEY, serving

from mistraltune.backends.api import ApiBackend
from mistraltune.backends.local import LocalBackend
from mistraltune.data.conversation import ask
from mistraltune.interfaces import ChatModel, Sampling
from mistraltune.results import ModelRef

PROMPTS = [ask("one two three four five"), ask("six"), ask("seven eight nine")]


@contextmanager
def open_local(tiny_model: Path, folder: Path) -> Iterator[ChatModel]:
    with closing(LocalBackend().chat_model(ModelRef(model=str(tiny_model)))) as model:
        yield model


@contextmanager
def open_echo(tiny_model: Path, folder: Path) -> Iterator[ChatModel]:
    with closing(EchoBackend().chat_model(ModelRef(backend="echo", model="anything"))) as model:
        yield model


@contextmanager
def open_served(tiny_model: Path, folder: Path) -> Iterator[ChatModel]:
    """The tiny Mistral behind a server of ours."""
    with serving(folder / "data", "--model", f"tiny={tiny_model}") as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MISTRALTUNE_CONFIG_DIR", str(write_endpoints(folder / "config", lab=server.url)))
        patch.setenv("LAB_API_KEY", KEY)
        ref = ModelRef(backend="api", model="tiny", endpoint="lab")
        with closing(ApiBackend().chat_model(ref)) as model:
            yield model


@pytest.fixture(scope="module", params=[open_local, open_echo, open_served], ids=["local", "echo", "api"])
def model(
    request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ChatModel]:
    with request.param(tiny_model, tmp_path_factory.mktemp("model")) as opened:
        yield opened


def test_every_prompt_gets_one_completion_in_order(model: ChatModel) -> None:
    together = [completion.text for completion in model.generate(PROMPTS, Sampling(max_new_tokens=3, batch_size=1))]
    alone = [next(iter(model.generate([prompt], Sampling(max_new_tokens=3)))).text for prompt in PROMPTS]
    assert together == alone


def test_no_answer_is_longer_than_allowed_and_a_cut_one_says_so(model: ChatModel) -> None:
    for completion in model.generate(PROMPTS, Sampling(max_new_tokens=2)):
        assert completion.num_tokens <= 2
        assert completion.finish_reason in ("stop", "length")
    longest = next(iter(model.generate(PROMPTS[:1], Sampling(max_new_tokens=2))))
    assert (longest.num_tokens, longest.finish_reason) == (2, "length")


def test_a_stream_says_what_generate_says(model: ChatModel) -> None:
    sampling = Sampling(max_new_tokens=8)
    streamed = "".join(model.stream(PROMPTS[0], sampling))
    assert streamed.strip() == next(iter(model.generate(PROMPTS[:1], sampling))).text.strip()


def test_an_answer_ends_before_the_first_stop(model: ChatModel) -> None:
    whole = next(iter(model.generate(PROMPTS[:1], Sampling(max_new_tokens=12)))).text
    places = range(1, len(whole) - 3, 2)
    assert places
    for place in places:
        sampling = Sampling(max_new_tokens=12, stop=(whole[place : place + 3], "nowhere in it"))
        expected = whole[: whole.find(sampling.stop[0])]
        completion = next(iter(model.generate(PROMPTS[:1], sampling)))
        assert (completion.text.strip(), completion.finish_reason) == (expected.strip(), "stop")
        assert "".join(model.stream(PROMPTS[0], sampling)).strip() == expected.strip()


def test_no_prompts_are_no_completions(model: ChatModel) -> None:
    assert list(model.generate([], Sampling())) == []
