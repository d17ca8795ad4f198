"""The keys of `[model]` that every network has, and the parts that they describe.

In: plain values. Out: `NetworkSettings`, checked, which makes table, framing, context and heads. It knows no recipe
file, and not which encoder was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from horae.errors import RecipeError
from horae.features.content.of_items import ItemContent
from horae.models.context_inputs import ContextInputs
from horae.models.encoders.dropout import DropoutKind
from horae.models.heads import Head, NextItem, Pair, Value
from horae.models.history_numbers import features_of
from horae.models.items import ItemTable
from horae.models.items.fused import FusedTable, Fusion, FusionShape
from horae.models.items.ids import IdTable
from horae.models.moments import TimeEncoding, TimeInput
from horae.models.upcoming.heads import QUESTIONS, Upcoming
from horae.models.upcoming.scale import ScaleName
from horae.sequences.framing import Framing, Masked, Next

__all__ = ["NetworkSettings"]

UNMIXED = ("ids", "content")


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
