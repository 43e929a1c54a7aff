"""Do a model and its draft give the same id to every token? mlx_lm compares the sizes alone, and only warns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from punie.trace.errors import VocabularyError
from punie.trace.units import count_text

_NAMED: Final = 8
_TOKENIZER: Final = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class TokenMismatch:
    """A token and its id in either vocabulary, None where it isn't in it."""

    token: str
    target: int | None
    draft: int | None

    def __str__(self) -> str:
        ids = ("none" if number is None else str(number) for number in (self.target, self.draft))
        return f"{self.token!r} ({' / '.join(ids)})"


def compare_vocabularies(model: Path | str, draft: Path | str, *, allow: bool) -> str:
    """A sentence about tokens that differ, or why they could not be compared; empty if there are none.

    Of a name on Hugging Face the tokenizer is downloaded if its cache hasn't got it. Raises VocabularyError that
    names the tokens unless `allow`.
    """
    try:
        vocabularies = read_vocabulary(model), read_vocabulary(draft)
    except Exception as error:  # noqa: BLE001 # what tokenizer libraries raise has no common base
        reason = str(error).partition("\n")[0]
        return f"the tokens of {model} and {draft} could not be compared: {reason}"
    return check(find_differences(*vocabularies), str(draft), allow=allow)


def read_vocabulary(model: Path | str) -> Mapping[str, int]:
    """Every token, added ones included, with its id."""
    file = Path(model) / _TOKENIZER
    if not Path(model).is_dir():
        from huggingface_hub import hf_hub_download

        file = Path(hf_hub_download(str(model), _TOKENIZER))
    if not file.is_file():
        from transformers import AutoTokenizer  # takes seconds, and reads what has no tokenizer.json

        slow: Mapping[str, int] = AutoTokenizer.from_pretrained(model).get_vocab()
        return slow
    from tokenizers import Tokenizer

    return {**Tokenizer.from_file(str(file)).get_vocab(), **_added(file.with_name("tokenizer_config.json"))}


def _added(config: Path) -> Mapping[str, int]:
    """The tokens that the tokenizer's configuration adds."""
    if not config.is_file():
        return {}
    added = json.loads(config.read_text(encoding="utf-8")).get("added_tokens_decoder") or {}
    return {entry["content"]: int(number) for number, entry in added.items()}


def find_differences(target: Mapping[str, int], draft: Mapping[str, int]) -> tuple[TokenMismatch, ...]:
    """Every token whose id differs, by the target's id, those that the target lacks last."""
    tokens = {token for token, _ in target.items() ^ draft.items()}
    differences = [TokenMismatch(token, target.get(token), draft.get(token)) for token in tokens]
    return tuple(sorted(differences, key=lambda d: (d.target is None, d.target or d.draft or 0, d.token)))


def check(differences: tuple[TokenMismatch, ...], draft: str, *, allow: bool) -> str:
    """A sentence about the differences, empty if there are none. Raises VocabularyError unless `allow`."""
    if not differences:
        return ""
    named = ", ".join(map(str, differences[:_NAMED]))
    more = len(differences) - _NAMED
    listed = f"{named} and {count_text(more, 'other')}" if more > 0 else named
    if not allow:
        raise VocabularyError(
            f"--draft {draft}: its tokens aren't the model's: {listed}",
            remedy="take a draft of the same family; if these tokens can't matter, add --allow-vocab-mismatch",
        )
    return f"{count_text(len(differences), 'token')} of {draft} differ from the model's (id there / here): {listed}"
