"""A network: item table x history encoder x head, composed.

In: a `SequenceBatch`. Out: states, item vectors and scores. Architecture only: it knows no loss, no optimiser, no file
and no recipe; whoever calls it chooses training or evaluation mode.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Self, cast

import torch
from torch import Tensor, nn

from horae.errors import RecipeError, RunError
from horae.features.content.of_items import ItemContent
from horae.models.context_inputs import ContextInputs, without_some_context
from horae.models.encoders import Encoder
from horae.models.encoders.dropout import DropoutKind
from horae.models.heads import Head, NextItem, Pair, Value
from horae.models.history_features import HistoryFeatures
from horae.models.history_numbers import features_of
from horae.models.items import ItemTable
from horae.models.items.fused import FusedTable, Fusion, FusionShape
from horae.models.items.ids import IdTable
from horae.models.moments import Moments, TimeEncoding, TimeInput, without_some_times
from horae.models.upcoming.heads import QUESTIONS, Told, Upcoming
from horae.models.upcoming.scale import ScaleName
from horae.sequences.batch import SequenceBatch
from horae.sequences.framing import Framing, Masked, Next

__all__ = ["Network", "NetworkSettings"]


@dataclass(frozen=True)
class NetworkSettings:
    """Keys of `[model]` that every network has."""

    dim: int = field(default=64, metadata={"doc": "Width of item vectors and states."})
    max_len: int = field(default=50, metadata={"doc": "Newest events that the network looks at."})
    framing: Literal["next", "masked"] = field(
        default="next",
        metadata={
            "doc": "What the network learns to foretell: the `next` event after each, or events `masked` among the "
            "others, which it sees on both sides; then a request asks for one masked event after the newest, and "
            "max_len counts it."
        },
    )
    mask_share: float = field(
        default=0.0, metadata={"doc": 'Share of events masked in training (framing = "masked"); 0.2 suits most logs.'}
    )
    dropout: float = field(default=0.2, metadata={"doc": "Share of inputs and inner values dropped in training."})
    dropout_kind: DropoutKind = field(
        default="element",
        metadata={
            "doc": "What is dropped together: nothing (`element`), all numbers of an input `event`, or the same "
            "columns at all events of a history (`variational`)."
        },
    )
    head: Literal["next_item", "value", "pair"] = field(
        default="next_item",
        metadata={
            "doc": "What is foretold: the next item; the `value` of an event on an item; or, by a dense layer over "
            "state and candidate (`pair`), how probable each behavior is with it."
        },
    )
    pair_hidden: int = field(default=128, metadata={"doc": 'Width of that dense layer (head = "pair").'})
    output_bias: bool = field(
        default=False, metadata={"doc": 'One learned number per item beside its vector (head = "next_item").'}
    )
    behavior_embedding: bool = field(
        default=False, metadata={"doc": "Add a learned vector of each event's behavior to its item's."}
    )
    time_inputs: tuple[TimeInput, ...] = field(
        default=(),
        metadata={
            "doc": "What each event's vector says about time: the `gap` since the event before, the `wait` until the "
            "question after it is asked, and `hour`, `weekday`, `month` of both event and question (UTC)."
        },
    )
    time_encoding: TimeEncoding = field(
        default="buckets",
        metadata={"doc": "How `gap` and `wait` are told: in logarithmic `buckets`, or in waves (`time2vec`)."},
    )
    features: tuple[str, ...] = field(
        default=(),
        metadata={
            "doc": "What each event's vector says of the history, as of the event and as of the question after it: "
            "columns of `horae features` (`count`, `rate`, `sum`, `mean`, `last`, `distinct_items`, `repeat_share` "
            "with a window, such as `count_7d`; `decayed_count` with a half-life; `session_position`, "
            "`session_age_seconds`, `sessions`), over the newest max_len events."
        },
    )
    time_dropout: float = field(
        default=0.05,
        metadata={
            "doc": "Share of histories that lose their times in training, and of questions that lose theirs, so that "
            "answers without times work; where the network looks at times."
        },
    )
    context: tuple[str, ...] = field(
        default=(),
        metadata={
            "doc": "What each event's vector says of its circumstances: further columns of the log, such as `device` "
            "or `price`, text or numbers."
        },
    )
    request_context: tuple[str, ...] = field(
        default=(),
        metadata={
            "doc": "Columns of the log that are known when a question is asked, such as `device` or `place`: told of "
            "the question, in training from the event that came. Never one that only the answer tells, such as `price`."
        },
    )
    context_dropout: float = field(
        default=0.05,
        metadata={
            "doc": "Share of histories that lose their context in training, and of questions that lose theirs, so that "
            "answers without it work; with context or request_context."
        },
    )
    fusion: Fusion = field(
        default="ids",
        metadata={
            "doc": "What an item's vector is made of: its `ids` alone, its `content` alone (see `[content]`), or both: "
            "added (`sum`), by a learned `gate`, beside each other through a linear map (`concat`), or by `attention` "
            "over the parts that are known."
        },
    )
    content_hidden: int = field(
        default=0, metadata={"doc": "Width of a hidden layer from content to vectors, beside the linear map; 0: none."}
    )
    id_bound: float = field(
        default=0.0,
        metadata={"doc": "Longest that an id's part may be, so that content keeps its say; 0.0: any length."},
    )
    id_dropout: float = field(
        default=0.0,
        metadata={
            "doc": "Share of items that a training step knows by their content alone, so that new ones are at home."
        },
    )
    also: tuple[str, ...] = field(
        default=(),
        metadata={
            "doc": "What else is foretold of the next event, by heads on the same encoder: `behavior`, `time`, "
            "`value`, or some of them."
        },
    )
    time_components: int = field(
        default=4, metadata={"doc": 'Log-normals that the time to the next event is mixed of (also = ["time"]).'}
    )
    value_scale: ScaleName = field(
        default="auto",
        metadata={
            "doc": "How the `value` head sees values: as distances (`standard`), as factors (`log`), or as the "
            "training values suggest (`auto`)."
        },
    )

    def __post_init__(self) -> None:
        for key in ("dim", "max_len"):
            if getattr(self, key) < 1:
                raise RecipeError(f"[model] {key} = {getattr(self, key)}: expected at least 1.", hint=f"Raise {key}.")
        if not 0 <= self.dropout < 1:
            raise RecipeError(
                f"[model] dropout = {self.dropout}: expected a share from 0 to below 1.", hint="0.0 drops nothing."
            )
        if self.dropout == 0 and self.dropout_kind != "element":
            raise RecipeError(
                f'[model] dropout_kind = "{self.dropout_kind}" has no effect with dropout = 0.',
                hint="Remove dropout_kind, or raise dropout.",
            )
        self._check_framing()
        self._check_time()
        features_of(self.features)
        self._check_context()
        self._check_fusion()
        self._check_head()
        self._check_also()

    def _check_head(self) -> None:
        if self.head != "next_item" and self.output_bias:
            why = "which always has one" if self.head == "value" else "whose dense layer sees the item"
            raise RecipeError(
                f'[model] output_bias has no effect with head = "{self.head}", {why}.', hint="Remove output_bias."
            )
        if self.head != "pair" and self.pair_hidden != NetworkSettings.pair_hidden:
            raise RecipeError(
                f'[model] pair_hidden has no effect with head = "{self.head}".',
                hint='Remove it, or write head = "pair".',
            )
        if self.pair_hidden < 1:
            raise RecipeError(f"[model] pair_hidden = {self.pair_hidden}: expected at least 1.", hint="Try 128.")

    def _check_fusion(self) -> None:
        for key, without in (("content_hidden", ("ids",)), ("id_bound", UNMIXED), ("id_dropout", UNMIXED)):
            if getattr(self, key) < 0 or (key == "id_dropout" and self.id_dropout >= 1):
                raise RecipeError(f"[model] {key} = {getattr(self, key)} is not possible.", hint="0 leaves it out.")
            if getattr(self, key) and self.fusion in without:
                raise RecipeError(
                    f'[model] {key} has no effect with fusion = "{self.fusion}".',
                    hint=f'Remove {key}, or choose fusion = "sum".',
                )

    def _check_also(self) -> None:
        for name in self.also:
            if name not in QUESTIONS:
                raise RecipeError(f'[model] also = "{name}" is not possible.', hint=f"Some of {', '.join(QUESTIONS)}.")
        if self.also and self.framing == "masked":
            raise RecipeError(
                '[model] also has no answer with framing = "masked": hidden events stand among their own future.',
                hint='Remove also, or choose framing = "next".',
            )
        for key, needs, usual in (("time_components", "time", 4), ("value_scale", "value", "auto")):
            if getattr(self, key) != usual and needs not in self.also:
                raise RecipeError(
                    f'[model] {key} has no effect where also does not name "{needs}".', hint=f"Remove {key}."
                )
        if not 1 <= self.time_components <= 16:
            raise RecipeError(f"[model] time_components = {self.time_components}: expected 1 to 16.", hint="Try 4.")

    def _check_context(self) -> None:
        for key in ("context", "request_context"):
            names = getattr(self, key)
            if len(set(names)) < len(names):
                raise RecipeError(f"[model] {key} = {list(names)} names one twice.", hint="Name each once.")
        if not 0 <= self.context_dropout < 1:
            raise RecipeError(
                f"[model] context_dropout = {self.context_dropout}: expected a share from 0 to below 1.",
                hint="0.0 drops nothing.",
            )
        if self.context_dropout != NetworkSettings.context_dropout and not (self.context or self.request_context):
            raise RecipeError(
                "[model] context_dropout has no effect: the network is told no context.",
                hint='Remove it, or write context = ["device"].',
            )

    def _check_time(self) -> None:
        if not 0 <= self.time_dropout < 1:
            raise RecipeError(
                f"[model] time_dropout = {self.time_dropout}: expected a share from 0 to below 1.",
                hint="0.0 drops nothing.",
            )
        if len(set(self.time_inputs)) < len(self.time_inputs):
            raise RecipeError(
                f"[model] time_inputs = {list(self.time_inputs)} names one twice.", hint="Name each once."
            )
        if self.framing == "masked" and "wait" in self.time_inputs:
            raise RecipeError(
                '[model] time_inputs: with framing = "masked" the question is asked at the event, so there is no wait.',
                hint='Remove "wait".',
            )
        if self.time_encoding != "buckets" and not {"gap", "wait"} & set(self.time_inputs):
            raise RecipeError(
                f'[model] time_encoding = "{self.time_encoding}" has no effect: time_inputs has neither gap nor wait.',
                hint='Write time_inputs = ["gap", "wait"], or remove time_encoding.',
            )

    def _check_framing(self) -> None:
        if self.framing == "next" and self.mask_share != 0:
            raise RecipeError(
                f'[model] mask_share = {self.mask_share} has no effect with framing = "next".',
                hint='Remove mask_share, or choose framing = "masked".',
            )
        if self.framing == "masked" and not 0 < self.mask_share < 1:
            raise RecipeError(
                f'[model] mask_share = {self.mask_share}: with framing = "masked" expected a share between 0 and 1.',
                hint="Try mask_share = 0.2.",
            )
        if self.framing == "masked" and self.max_len < 2:
            raise RecipeError(
                '[model] max_len = 1 with framing = "masked" leaves room for the masked event alone.',
                hint="Raise max_len.",
            )

    def make_items(self, num_items: int, content: ItemContent | None) -> ItemTable:
        """The item table; `content` is needed where it is made of it."""
        if self.fusion == "ids":
            return IdTable(num_items, self.dim)
        if content is None:
            raise RecipeError(
                f'[model] fusion = "{self.fusion}" needs to know what items say.',
                hint='Write [content] text = "auto" and give a catalog.',
            )
        shape = FusionShape(self.fusion, self.content_hidden, self.id_bound, self.id_dropout)
        return FusedTable(num_items, self.dim, content.parts(), shape)

    def make_head(self, num_items: int, num_behaviors: int) -> Head:
        """What a state is asked."""
        if self.head == "pair":
            return Pair(self.dim, self.pair_hidden, num_behaviors)
        return Value(num_items) if self.head == "value" else NextItem(num_items, self.output_bias)

    def make_framing(self) -> Framing:
        """The framing that these keys describe."""
        return Next(bool(self.also)) if self.framing == "next" else Masked(self.max_len, self.mask_share)

    def make_context(self) -> ContextInputs | None:
        """What tells `context` and `request_context`."""
        asked = self.context or self.request_context
        return ContextInputs(self.context, self.request_context, self.dim) if asked else None

    def make_upcoming(self, num_items: int, num_behaviors: int) -> Upcoming | None:
        """The heads for `also`."""
        if not self.also:
            return None
        shape = (self.dim, num_items, num_behaviors, self.time_components)
        return Upcoming(self.also, *shape, self.value_scale, self.dropout)


UNMIXED = ("ids", "content")


class Network(nn.Module):
    """Scores every item by what its head makes of its vector and the state of a history: mostly their dot product.

    Args:
        items: The item table; its vectors, times `sqrt(dim)`, are also the encoder's input.
        encoder: An `Encoder` as wide as the table.
        head: What a score means.
        max_len: Newest events looked at.
        num_behaviors: Adds a vector per behavior to the input; 0 for none.
        framing: What it learns to foretell, and how a request is put to it. Where it masks events, a learned vector,
            which is no item's, stands in a masked event's place.
        moments: Adds to the input what the times say.
        features: Adds to the input what the history's numbers say.
        time_dropout: Share of histories, and of questions, that lose their times in training.
        upcoming: Heads that foretell more of the next event than its item; they have the encoder see each batch their
            own way (`Upcoming.seen_by`).
        context: Adds to the input what the log's columns of context say.
        context_dropout: Share of histories, and of questions, that lose their context in training.

    Attributes:
        autocast: Of the encoder's products in training; None: as its weights are.

    Source: Kang & McAuley 2018 (arXiv:1808.09781), section III: scaled input (as in its code), shared item table.
    Differs: vectors of an event's behavior, times, history and context may be added to the item's; they start at zero,
        so they change nothing until they help.
    """

    def __init__(
        self,
        items: ItemTable,
        encoder: Encoder,
        head: Head,
        max_len: int,
        num_behaviors: int = 0,
        framing: Framing | None = None,
        moments: Moments | None = None,
        features: HistoryFeatures | None = None,
        time_dropout: float = 0.0,
        upcoming: Upcoming | None = None,
        context: ContextInputs | None = None,
        context_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.autocast: torch.dtype | None = None
        self.items = items
        self.encoder = cast(nn.Module, encoder)
        self.head = head
        self.max_len = max_len
        self.behavior_vectors = nn.Parameter(torch.zeros(num_behaviors + 1, items.dim)) if num_behaviors else None
        self.framing = framing or Next()
        assert encoder.causal == self.framing.causal
        self.moments = moments
        self.features = features
        timed = moments is not None or getattr(features, "timed", False) or getattr(encoder, "timed", False)
        self.time_dropout = time_dropout if timed else 0.0
        self.mask_D = None if self.framing.causal else nn.Parameter(0.02 * torch.randn(items.dim))
        self.upcoming = upcoming
        self.context = context
        self.context_dropout = context_dropout if context is not None else 0.0
        self._halves: tuple[object, Tensor] | None = None

    @property
    def num_items(self) -> int:
        """I, without padding."""
        return self.items.num_items

    @property
    def causal(self) -> bool:
        """Whether a position's state depends on no later position."""
        return cast(Encoder, self.encoder).causal

    @property
    def by_product(self) -> bool:
        """Whether a score is the dot product of `last` and `item_vectors`."""
        return self.head.by_product

    def states(self, batch: SequenceBatch) -> Tensor:
        """`h_BLD`: a state for each event, to meet `item_vectors`; the head may have made it one wider than dim.

        The batch is as the framing made it: item 0 within the length is a masked event.
        """
        return self.head.states(self.encoded(batch))

    def last(self, batch: SequenceBatch) -> Tensor:
        """`h_BD`: the state that answers the request, to meet `item_vectors`."""
        return self.head.states(self._newest(self.framing.asked(batch)))

    def told(self, batch: SequenceBatch) -> Told:
        """What the other heads say of the event after each history's newest, whenever it comes."""
        assert self.upcoming is not None
        row_B = torch.arange(len(batch), device=batch.length_B.device)
        fact_BF = self.upcoming.facts(batch)[row_B, (batch.length_B - 1).clamp(min=0)]
        told: Told = self.upcoming(self._newest(self.upcoming.seen_by(batch)), fact_BF)
        return told

    def item_vectors(self) -> Tensor:
        """`e_ID`: row 0 is padding, without meaning. Kept from call to call where it is more than the table itself."""
        if self.head.by_product or self.training or torch.is_grad_enabled():
            return self.head.vectors(self.items.vectors())
        key = [(tensor.data_ptr(), tensor._version) for tensor in (*self.parameters(), *self.buffers())]
        if self._halves is None or self._halves[0] != key:
            self._halves = (key, self.head.vectors(self.items.vectors()))
        return self._halves[1]

    def vectors_of(self, items_N: Tensor) -> Tensor:
        """`e_ND`: the same for some items, in their order."""
        return self.head.vectors(self.items.lookup(items_N), items_N)

    def score(self, batch: SequenceBatch, items_N: Tensor | None = None) -> Tensor:
        """Scores of all items, `[B, I + 1]` with minus infinity in column 0, or of the chosen ones, `[B, N]`."""
        e_ID = self.item_vectors()
        if items_N is not None:
            return self.head.scores(self.last(batch), e_ID[items_N]).masked_fill(items_N == 0, -torch.inf)
        score_BI = self.head.scores(self.last(batch), e_ID)
        score_BI[:, 0] = -torch.inf
        return score_BI

    def grow(self, num: int, content: ItemContent | None = None, trained: int | None = None) -> None:
        """See `Growing`; parameters may be new ones afterwards.

        A table made of content makes the new vectors as it makes all. In one of ids alone, content foretells them.
        """
        trained = self.num_items if trained is None else trained
        parts = None if content is None else content.parts()
        if isinstance(self.items, FusedTable):
            self.items.grow(num, parts)
        else:
            self.items.grow(num)
            if parts is not None:
                self.items.foretell(parts, trained)
        self.head.grow(num)
        if self.upcoming is not None:
            self.upcoming.grow(num)

    def arrays(self) -> dict[str, Tensor]:
        """Everything needed to load it again: parameters and buffers, unused capacity left out."""
        return {name: tensor.detach() for name, tensor in self.state_dict().items()}

    def load_arrays(self, arrays: dict[str, Tensor], num_items: int) -> Self:
        """The inverse of `arrays`, into a network composed from the same recipe.

        Raises:
            RunError: An array is missing, unknown or of another shape.
        """
        expected = {name: tuple(tensor.shape) for name, tensor in self.arrays().items()}
        got = {name: tuple(tensor.shape) for name, tensor in arrays.items()}
        if num_items != self.num_items or got != expected:
            wrong = sorted(name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name))
            raise RunError(
                f"The weights do not fit the recipe: expected {self.num_items} items, got {num_items}; "
                f"arrays that differ: {', '.join(wrong) or 'none'}.",
                hint="The run folder mixes files of different runs; train again, or restore the folder.",
            )
        self.load_state_dict(arrays)
        return self

    def encoded(self, batch: SequenceBatch) -> Tensor:
        """`h_BLD`: the encoder's states, before the head."""
        given = self._input(batch)
        if self.training and self.autocast is not None:
            with torch.autocast(given[0].device.type, self.autocast):
                encoded: Tensor = self.encoder(*given)
            return encoded.float()
        encoded = self.encoder(*given)
        return encoded

    def _newest(self, batch: SequenceBatch) -> Tensor:
        newest = getattr(self.encoder, "newest", None)
        if newest is not None:
            last_BD: Tensor = newest(*self._input(batch))
            return last_BD
        return cast(Encoder, self.encoder).last(self.encoded(batch), batch.length_B)

    def _input(self, batch: SequenceBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What an encoder takes."""
        if self.training:
            batch = without_some_times(batch, self.time_dropout)
            batch = without_some_context(batch, self.context_dropout)
        x_BLD = self.items.lookup(batch.item_BL)
        if self.mask_D is not None:
            x_BLD = torch.where(batch.item_BL[..., None] > 0, x_BLD, self.mask_D)
        x_BLD = x_BLD * self.items.dim**0.5
        if self.behavior_vectors is not None:
            x_BLD = x_BLD + self.behavior_vectors[batch.behavior_BL]
        if self.moments is not None:
            x_BLD = x_BLD + self.moments(batch)
        if self.features is not None:
            x_BLD = x_BLD + self.features(batch)
        if self.context is not None:
            x_BLD = x_BLD + self.context(batch)
        return x_BLD, batch.time_BL, batch.length_B, batch.request_time_BL
