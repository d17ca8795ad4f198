"""A causal language model from a local folder: which title would the text most likely go on with?

In: a question. Out: a verdict; nothing leaves the machine. The folder is opened without trust, as encoders are:
safetensors only, nobody's code (`horae.features.content.weights`).
"""

from __future__ import annotations

import copy
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from horae.errors import DataError
from horae.features.content.encoder import fingerprint_of
from horae.features.content.weights import check_folder, content_digest, network, tokenizer_of
from horae.recommend.rerank.question import Question, Verdict

__all__ = ["LocalModel"]

LOGITS_AT_ONCE: Final = 1 << 25
"""128 MiB of float32."""
TITLE_TOKENS: Final = 48
"""A longer title is cut."""
PROMPT_TOKENS: Final = 1_024
"""Of what was chosen, the newest."""


class LocalModel:
    """A causal model in the layout of Hugging Face.

        score(title) = mean over its tokens of log p(token | what was chosen, the tokens before it)

    Args:
        folder: With `config.json`, a tokenizer and `*.safetensors`.

    Raises:
        DataError: The folder is incomplete, pickled, needs code of its own, or is no causal model.

    Source: Brown et al. 2020 (arXiv:2005.14165), section 2.4: choices are compared by their likelihood per token.
    Differs: no correction by how likely a title is without what stands before it.
    """

    at_once = 1

    def __init__(self, folder: Path) -> None:
        config = check_folder(folder)
        if config.get("is_encoder_decoder"):
            raise DataError(f"{folder} is an encoder with a decoder, no causal model.", hint="Take a causal one.")
        self.folder = folder
        self.name = folder.name
        said = config.get("max_position_embeddings", config.get("n_positions", PROMPT_TOKENS + TITLE_TOKENS))
        self.longest = min(int(said), PROMPT_TOKENS + TITLE_TOKENS)
        if self.longest < 8:
            raise DataError(f"{folder} reads {self.longest} tokens, too few for titles.", hint="Take another model.")

    @cached_property
    def fingerprint(self) -> str:
        """See `Judge`."""
        return fingerprint_of("local", 1, content_digest(self.folder))

    def tokens_at_most(self, question: Question) -> int:
        """See `Judge`; exactly what will be read."""
        before, titles = self._tokens(question)
        return len(before) + sum(map(len, titles))

    def ask(self, question: Question) -> Verdict:
        """See `Judge`.

        Raises:
            DataError: The folder cannot be loaded.
        """
        before, titles = self._tokens(question)
        return Verdict(self.log_likelihoods(before, titles), len(before) + sum(map(len, titles)))

    def log_likelihoods(self, before: list[int], titles: list[list[int]]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Mean log probability of each title's tokens after the tokens before it; the latter are read once."""
        import torch

        model, _ = self._loaded
        with torch.inference_mode():
            past = model(torch.tensor([before[:-1]]), use_cache=True).past_key_values if len(before) > 1 else None
            if past is not None and not hasattr(past, "batch_repeat_interleave"):  # a model that keeps no keys
                past, shared = None, before
            else:
                shared = before[-1:]
            found = []
            width = len(shared) + max(map(len, titles))
            many = max(1, LOGITS_AT_ONCE // (width * int(model.config.vocab_size)))
            for begin in range(0, len(titles), many):
                found += self._of_some(shared, titles[begin : begin + many], past, len(before) - len(shared))
        return np.array(found, dtype=np.float32)

    def _of_some(self, shared: list[int], titles: list[list[int]], past: Any, known: int) -> list[float]:
        import torch

        model, _ = self._loaded
        length_B = torch.tensor([len(shared) + len(title) for title in titles])
        token_BL = torch.zeros(len(titles), int(length_B.max()), dtype=torch.int64)
        for row, title in enumerate(titles):
            token_BL[row, : len(shared) + len(title)] = torch.tensor([*shared, *title])
        real_BL = torch.arange(token_BL.shape[1]) < length_B[:, None]
        given: dict[str, Any] = {"attention_mask": real_BL.long()}
        if past is not None:
            mine = copy.deepcopy(past)
            mine.batch_repeat_interleave(len(titles))
            ones_BL = torch.ones(len(titles), known, dtype=torch.int64)
            given = {"attention_mask": torch.cat([ones_BL, real_BL.long()], dim=1), "past_key_values": mine}
        logit_BLV = model(token_BL, **given).logits.float()
        chance_BL = logit_BLV[:, :-1].log_softmax(-1).gather(2, token_BL[:, 1:, None]).squeeze(2)
        asked_BL = real_BL[:, 1:] & (torch.arange(1, token_BL.shape[1]) >= len(shared))
        mean_B: list[float] = ((chance_BL * asked_BL).sum(1) / asked_BL.sum(1)).tolist()
        return mean_B

    def _tokens(self, question: Question) -> tuple[list[int], list[list[int]]]:
        """Of what stands before (its newest part), and of each title; none is empty."""
        _, cut = self._loaded
        most = min(TITLE_TOKENS, self.longest // 2)
        given = [" " + title for title in question.candidates]
        titles = [one[:most] for one in cut(given, add_special_tokens=False)["input_ids"]]
        before = cut(question.beginning().rstrip(), add_special_tokens=False)["input_ids"]
        filler = cut.eos_token_id or 0
        begin = [] if cut.bos_token_id is None else [cut.bos_token_id]
        room = self.longest - most - len(begin)
        return [*begin, *before[-room:]] or [filler], [title or [filler] for title in titles]

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        return network(self.folder, loader="AutoModelForCausalLM"), tokenizer_of(self.folder)
