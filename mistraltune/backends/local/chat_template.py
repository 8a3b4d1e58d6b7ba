"""Conversations as token ids with loss masks, by the chat template of any transformers tokenizer."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mistraltune.backends.local.template_messages import map_texts, missing_part, template_message, texts_in
from mistraltune.backends.local.template_script import OTHER_MODEL, Place, Script, ScriptTokenizer
from mistraltune.data.conversation import Conversation, Message, ToolCall, ask
from mistraltune.data.rendered import Rendered, RowError, check_text
from mistraltune.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PRIVATE_USE = range(0xF0000, 0xFFFFE)
_WRITTEN_CALL = re.compile(r"<tool_call>\s*(\{.*?\})\s*</tool_call>", re.DOTALL)


class ChatTemplateRenderer:
    """The Renderer of models that are no Mistral models: their own chat template, token for token transformers'.

    An assistant message trains from where the generation prompt ends to its end-of-turn token, that included; the
    newline that many templates write after it is not trained. Both ends are found by rendering prefixes of the
    conversation, and a row whose prefixes are none, as text or as tokens, is refused. Control tokens are the template's
    alone: where a message spells one, the text is tokenised apart from them, with `split_special_tokens=True`.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Take over `tokenizer`.

        Raises:
            ConfigError: It has no chat template, no special token, or is not of the `tokenizers` library.
        """
        if not tokenizer.chat_template:
            raise ConfigError("the tokenizer has no chat template", hint="take an instruct model")
        if not tokenizer.is_fast:
            raise ConfigError(f"{type(tokenizer).__name__} is not of the tokenizers library")
        self._tokenizer: Any = tokenizer
        self._scripts = ScriptTokenizer(tokenizer)
        if not self._scripts.control_ids:
            raise ConfigError("the tokenizer has no special token, so nothing would end an answer")

    @cached_property
    def fingerprint(self) -> str:
        """64 hex digits of the tokenizer's content, its special tokens and its chat template."""
        content = json.loads(self._tokenizer.backend_tokenizer.to_str())
        content.update(truncation=None, padding=None)  # settings of the last call, not of the tokenizer
        parts = [content, self._tokenizer.special_tokens_map, self._tokenizer.chat_template]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    @cached_property
    def bos_id(self) -> int | None:
        """The beginning-of-sequence token, if the tokenizer has one."""
        bos_id: int | None = self._tokenizer.bos_token_id
        return bos_id

    @cached_property
    def end_ids(self) -> tuple[int, ...]:
        """The tokens that end an assistant message: the tokenizer's end of sequence and the template's end of turn."""
        ends = [] if self._tokenizer.eos_token_id is None else [int(self._tokenizer.eos_token_id)]
        try:
            [sample] = self.render(_SAMPLE)
        except RowError:  # a template may want more than a question and an answer
            return tuple(ends)
        *_, last_trained = itertools.compress(sample.token_ids, sample.loss_mask)
        return tuple(dict.fromkeys([*ends, last_trained]))

    def render(self, conversation: Conversation) -> list[Rendered]:
        """Token ids and loss mask of a training row, always as one sequence.

        Raises:
            RowError: The template refuses the conversation or drops a part of it, or its prompts are no prefixes of
                it, so that a trained answer would follow something else than it does when the model is asked.
        """
        check_text(conversation)
        if not conversation.messages or conversation.messages[-1].role != "assistant":
            raise RowError(conversation, "no-answer", "a training row ends with an assistant message")
        script = self._script(conversation)
        self._check_tools(conversation, script)
        answers = {
            index: self._answer(conversation, script, index)
            for index, message in enumerate(conversation.messages)
            if message.role == "assistant"
        }
        self._check_messages(conversation, script, answers)
        tokens = self._scripts.tokenise(conversation, script)
        loss_mask = [False] * len(tokens.ids)
        for index, answer in answers.items():
            if conversation.messages[index].weight:
                start, end = self._scripts.token_range(conversation, script, tokens=tokens, place=answer)
                loss_mask[start:end] = [True] * (end - start)
        return [Rendered(tokens.ids, loss_mask)]

    def prompt(self, conversation: Conversation) -> list[int]:
        """Token ids after which the model writes the next assistant message.

        Raises:
            RowError: The conversation ends with an assistant message, or the template refuses or drops a part of it.
        """
        check_text(conversation)
        if not conversation.messages or conversation.messages[-1].role == "assistant":
            raise RowError(conversation, "no-question", "a prompt ends with a user message or a tool result")
        script = self._script(conversation, add_generation_prompt=True)
        self._check_tools(conversation, script)
        self._check_messages(conversation, script, answers={})
        return self._scripts.tokenise(conversation, script).ids

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = True) -> str:
        """The text of `token_ids`; with control tokens shown when `skip_special_tokens` is False."""
        text: str = self._tokenizer.decode(
            list(token_ids), skip_special_tokens=skip_special_tokens, clean_up_tokenization_spaces=False
        )
        return text

    def parse(self, token_ids: Sequence[int]) -> tuple[str, tuple[ToolCall, ...]]:
        """Text and tool calls of a generated completion, read up to its end-of-turn token.

        Calls are read in the form that many templates share, `<tool_call>{"name": ..., "arguments": ...}</tool_call>`;
        in other forms, and where they cannot be read, they stay in the text.
        """
        token_ids = list(itertools.takewhile(lambda token: token not in self.end_ids, token_ids))
        written = self.decode(token_ids, skip_special_tokens=False)
        try:
            calls = tuple(_read_call(found[1]) for found in _WRITTEN_CALL.finditer(written))
        except (ValueError, LookupError, TypeError, RecursionError):
            calls = ()
        if not calls:
            return self.decode(token_ids), ()
        return self._scripts.control.sub("", _WRITTEN_CALL.sub("", written)).strip(), calls

    def _script(self, conversation: Conversation, *, add_generation_prompt: bool = False) -> Script:
        """The conversation as text in which every control token is the template's own."""
        messages = [template_message(message) for message in conversation.messages]
        tools = list(conversation.tools)
        disguises = self._disguises([messages, tools])
        if disguises:
            messages, tools = map_texts(
                [messages, tools], lambda text: self._scripts.control.sub(lambda found: disguises[found[0]], text)
            )
        text = self._apply(conversation, messages, tools, add_generation_prompt=add_generation_prompt)
        return Script(messages, tools, text, {ord(char): spelled for spelled, char in disguises.items()})

    def _disguises(self, value: object) -> dict[str, str]:
        """For every control token that a text in `value` spells, a character that no text has."""
        texts = list(texts_in(value))
        spelled = {found for text in texts for found in self._scripts.control.findall(text)}
        if not spelled:
            return {}
        taken = {char for text in texts for char in text}
        free = (char for char in map(chr, _PRIVATE_USE) if char not in taken)
        return dict(zip(sorted(spelled), free, strict=False))

    def _apply(
        self,
        conversation: Conversation,
        messages: list[dict[str, Any]],
        tools: list[dict[str, Any]],
        *,
        add_generation_prompt: bool,
    ) -> str:
        from jinja2 import TemplateError

        try:
            text: str = self._tokenizer.apply_chat_template(
                messages, tools=tools or None, tokenize=False, add_generation_prompt=add_generation_prompt
            )
        except (TemplateError, ValueError, LookupError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            reason = f"the chat template refuses it: {reason}"
            raise RowError(conversation, "template-refuses", reason, hint=OTHER_MODEL) from error
        return text

    def _answer(self, conversation: Conversation, script: Script, index: int) -> Place:
        """Where assistant message `index` stands in the text: from the end of its prompt to its end-of-turn token."""
        prompt = self._apply(conversation, script.messages[:index], script.tools, add_generation_prompt=True)
        closed = self._apply(conversation, script.messages[: index + 1], script.tools, add_generation_prompt=False)
        if not closed.startswith(prompt):
            reason = f"under this chat template the prompt of message {index + 1} is no prefix of the conversation"
            raise RowError(conversation, "template-prefix", reason, hint=OTHER_MODEL)
        if not script.text.startswith(closed):
            reason = f"this chat template changes message {index + 1}, or one before it, when another follows"
            raise RowError(conversation, "template-prefix", reason, hint=OTHER_MODEL)
        ends = [found.end() for found in self._scripts.control.finditer(closed, len(prompt))]
        if not ends or closed[ends[-1] :].strip():
            reason = f"this chat template ends message {index + 1} with no special token"
            raise RowError(conversation, "no-end", reason, hint=OTHER_MODEL)
        return Place(start=len(prompt), end=ends[-1])

    def _check_tools(self, conversation: Conversation, script: Script) -> None:
        """Refuse a row whose tools the template leaves out."""
        if not script.tools:
            return
        with_tools, without = (
            self._apply(conversation, script.messages, tools, add_generation_prompt=False)
            for tools in (script.tools, [])
        )
        names = [str(tool.get("function", tool).get("name", "")) for tool in script.tools]
        if with_tools == without or not all(name in with_tools for name in names):
            raise RowError(conversation, "template-drops", "the chat template leaves out the tools", hint=OTHER_MODEL)

    def _check_messages(self, conversation: Conversation, script: Script, answers: dict[int, Place]) -> None:
        """Refuse a row of which the template leaves out a text or a tool call; an answer is looked for in its place."""
        for index, message in enumerate(script.messages):
            place = slice(answers[index].start, answers[index].end) if index in answers else slice(None)
            missing = missing_part(message, script.text[place])
            if missing:
                reason = f"the chat template leaves out {missing} of message {index + 1} ({message['role']})"
                raise RowError(conversation, "template-drops", reason, hint=OTHER_MODEL)


def _read_call(written: str) -> ToolCall:
    call = json.loads(written)
    arguments = call["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return ToolCall(id=str(call.get("id", "")), name=call["name"], arguments=text)


_SAMPLE = Conversation(messages=(*ask("a").messages, Message(role="assistant", content="b")))
