"""`mistraltune generate` and `mistraltune chat`: ask a model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from mistraltune.cli.completion import complete_model
from mistraltune.cli.console import JsonOption, note, print_json, show, stderr

if TYPE_CHECKING:
    from mistraltune.interfaces import ChatModel

ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        help="A run, adapter or model directory, a Hub id, quickstart, api:ID or api:ID@ENDPOINT.",
        show_default=False,
        autocompletion=complete_model,
    ),
]
System = Annotated[str, typer.Option("--system", help="System prompt.")]
MaxNewTokens = Annotated[int, typer.Option("--max-new-tokens", min=1, help="Longest answer, in tokens.")]
Temperature = Annotated[float, typer.Option("--temperature", min=0, help="0 is greedy.")]
TopP = Annotated[float, typer.Option("--top-p", min=0, max=1, help="Nucleus mass, with a temperature.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Makes sampled answers repeatable.")]


def generate(
    model: ModelOption,
    prompts: Annotated[
        list[str] | None, typer.Argument(metavar="[PROMPT]...", help="Prompts; none: one a line from stdin.")
    ] = None,
    system: System = "",
    max_new_tokens: MaxNewTokens = 256,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    seed: Seed = None,
    as_json: JsonOption = False,
) -> None:
    """Answer prompts and exit."""
    from mistraltune.data.characters import escaped
    from mistraltune.data.conversation import ask
    from mistraltune.errors import ConfigError
    from mistraltune.interfaces import Sampling

    texts = prompts or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    if not texts:
        raise ConfigError("no prompt given", hint="name one, or write one a line to stdin")
    sampling = Sampling(max_new_tokens=max_new_tokens, temperature=temperature, top_p=top_p, seed=seed)
    opened = open_model(model)
    try:
        completions = list(opened.generate([ask(text, system=system) for text in texts], sampling))
    finally:
        opened.close()
    if as_json:
        fields = ("text", "num_tokens", "finish_reason")
        answers = [{name: getattr(completion, name) for name in fields} for completion in completions]
        print_json({"completions": [{"prompt": text, **answer} for text, answer in zip(texts, answers, strict=True)]})
        return
    for index, (text, completion) in enumerate(zip(texts, completions, strict=True)):
        if len(texts) > 1:
            show(f"{'' if index == 0 else chr(10)}> {text}")
        show(escaped(completion.text))
        if completion.finish_reason == "length":
            note(f"(cut at {max_new_tokens} tokens; raise --max-new-tokens for more)")


def chat(
    model: ModelOption,
    system: System = "",
    max_new_tokens: MaxNewTokens = 512,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    seed: Seed = None,
) -> None:
    """Talk to a model; answers are streamed. /reset forgets the conversation, /exit or Ctrl-D ends it."""
    from mistraltune.data.characters import escaped
    from mistraltune.data.conversation import Conversation, Message
    from mistraltune.errors import Stopped
    from mistraltune.interfaces import Sampling

    sampling = Sampling(max_new_tokens=max_new_tokens, temperature=temperature, top_p=top_p, seed=seed)
    opening = (Message(role="system", content=system),) if system else ()
    opened = open_model(model)
    if sys.stdin.isatty():
        note("/reset forgets the conversation, /exit or Ctrl-D ends it")
    conversation = Conversation(messages=opening)
    try:
        while (text := read_line()) is not None and text != "/exit":
            if text == "/reset":
                conversation = Conversation(messages=opening)
                note("forgotten")
                continue
            if not text:
                continue
            conversation = Conversation(messages=(*conversation.messages, Message(role="user", content=text)))
            answer = ""
            for piece in opened.stream(conversation, sampling):
                answer += piece
                sys.stdout.write(escaped(piece))
                sys.stdout.flush()
            sys.stdout.write("\n")
            conversation = Conversation(messages=(*conversation.messages, Message(role="assistant", content=answer)))
    except Stopped as stop:
        stop.hint = ""  # no command takes a conversation up again
        if sys.stdin.isatty():
            note("")  # ends the line of the prompt
        raise
    finally:
        opened.close()


def read_line() -> str | None:
    """The next line that the user typed, None at the end of input."""
    if sys.stdin.isatty():
        stderr().print("[bold]you>[/bold] ", end="")
    line = sys.stdin.readline()
    return line.strip() if line else None


def open_model(name: str) -> ChatModel:
    """The model behind `--model`, loaded."""
    from mistraltune.registry import find_model, get_backend

    ref = find_model(name)
    note(f"loading {ref} ...")
    model = get_backend(ref.backend).chat_model(ref)
    if hasattr(model, "on_wait"):
        model.on_wait = note
    return model
