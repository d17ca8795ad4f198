"""A run in, a few items to ask a newcomer about out; their answers in, the first list out (`horae.questionnaire`).

    training histories -> groups of people -> the items whose answers tell most about the group
    answers -> the items that were liked, as a history -> the one path -> recommendations, source `questionnaire`

Nothing here looks at the test part. What people like is read from the log as "had it"; nobody is ever asked in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from horae.errors import DataError, UnknownIdError
from horae.recommend.recommender import Recommender
from horae.schema import ITEM, HistoryEvent, Id, IndexArray, Recommendations, Requests

__all__ = ["ANSWERS", "Questionnaire", "questionnaire"]

FloatArray = npt.NDArray[np.float64]
Reply = Literal["liked", "not", "unknown"]
ANSWERS: Final = ("liked", "not", "unknown")
SOURCE: Final = "questionnaire"
GROUPS: Final = 16
DIRECTIONS: Final = 16
POOL: Final = 200
"""Items that may be asked about: the best known so many. Of others most people would say that they do not know them."""
ROUNDS: Final = 20
PRIOR_USERS: Final = 5.0
PEOPLE: Final = 1_000
LEARNED_FROM: Final = 20_000
LEAST_USERS: Final = 20


@dataclass(frozen=True, eq=False)
class Questionnaire:
    """What to ask somebody of whom nothing is known.

    Attributes:
        frame: One row per item, in the order of asking: `item_id`, `share` (of the people in training who had it),
            `bits` (how much its answer tells about the group somebody belongs to, given the answers before it), and
            the catalog's `title` where there is one.
        groups: Groups of people that it tells apart.
        recommender: Answers.
    """

    frame: pl.DataFrame
    groups: int
    recommender: Recommender

    @property
    def items(self) -> list[Id]:
        """What to ask about, the most telling first."""
        items: list[Id] = self.frame[ITEM].to_list()
        return items

    def recommend(self, answers: Mapping[Id, Reply], k: int = 10, **constraints: Any) -> Recommendations:
        """The list for somebody who answered; `source` is `questionnaire`; the fallback's where nothing is liked.

        Args:
            answers: `liked`, `not` or `unknown` by item; of items left out nothing is known. What is liked is the
                history, and is not listed again; what is not liked is not listed.
            k: How many.
            constraints: Further fields of `Requests`, such as `filter`.

        Raises:
            DataError: Another answer than these three.
            UnknownIdError: An answer on an item that the run does not know.
        """
        liked, refused = self._read(answers)
        asked = Requests(
            histories=[[HistoryEvent(item) for item in liked]],
            k=k,
            exclude=(*liked, *refused, *constraints.pop("exclude", ())),
            known_by=SOURCE,
            **constraints,
        )
        return self.recommender.recommend(asked)

    def _read(self, answers: Mapping[Id, Reply]) -> tuple[list[Id], list[Id]]:
        for item, reply in answers.items():
            if reply not in ANSWERS:
                raise DataError(
                    f"The answer on {item!r} is {reply!r}; expected one of {', '.join(ANSWERS)}.",
                    hint="Leave out what was not answered.",
                )
            if not self.recommender.items.index(item):
                raise UnknownIdError(f"The item {item!r} is not in the run's item table.", hint="Check its spelling.")
        return [i for i, reply in answers.items() if reply == "liked"], [i for i, r in answers.items() if r == "not"]

    def __len__(self) -> int:
        return self.frame.height

    def __str__(self) -> str:
        titled = "title" in self.frame.columns
        lines = [
            f"{row['item_id']}{': ' + row['title'] if titled and row['title'] else ''} "
            f"(known to {row['share']:.0%}, tells {row['bits']:.2f} bits)"
            for row in self.frame.iter_rows(named=True)
        ]
        return "\n".join(f"{place}. {line}" for place, line in enumerate(lines, 1))


def questionnaire(recommender: Recommender, size: int = 8, *, pool: int = POOL, seed: int = 0) -> Questionnaire:
    """Choose the items to ask newcomers about: those that tell the most.

    People of the training part are put into groups by what they had. An item is asked about next whose answer leaves
    the least doubt about the group, expected over people who answered the questions before it as they would have:
    `argmax_i H(G | answers) - E_x H(G | answers, x_i)`, with answers independent of each other within a group.

    Source: Rashid, Karypis and Riedl, SIGKDD Explorations 10(2), 2008 (Learning preferences of new users in recommender
        systems: an information theoretic approach), section 3.4 (IGCN).
    Differs: Greedy over joint answers, by naive Bayes, instead of one item's gain alone; "had it" or not instead of
        ratings; only the best known items may be asked about; groups by k-means over singular vectors.

    Args:
        recommender: With its events.
        size: How many items.
        pool: Ask about the best known so many items only.
        seed: Of the groups and of the people who are drawn.

    Raises:
        DataError: An impossible size or pool; too few people to learn from; the run holds no events.
    """
    if not 1 <= size <= pool:
        raise DataError(f"size = {size}, pool = {pool}: expected 1 <= size <= pool.", hint="For example size=8.")
    had_UI = _had(recommender, seed)
    count_I = np.asarray(had_UI.sum(axis=0)).ravel()
    asked = np.argsort(-count_I, kind="stable")[:pool]
    asked = asked[count_I[asked] > 0]
    group_U = _groups(had_UI, seed)
    chance_GI, share_G = _chances(had_UI, group_U, asked)
    people = np.random.default_rng(seed).permutation(had_UI.shape[0])[:PEOPLE]
    had_NI = np.asarray(had_UI[people][:, asked].todense()) > 0
    chosen, bits = _greedy(chance_GI, share_G, had_NI, size)
    frame = pl.DataFrame(
        {
            ITEM: recommender.items.ids(asked[chosen]),
            "share": count_I[asked[chosen]] / had_UI.shape[0],
            "bits": bits,
        }
    )
    catalog = recommender.catalog
    if catalog is not None and "title" in catalog.columns:
        titles = catalog.select(pl.col(ITEM).cast(frame[ITEM].dtype), pl.col("title").cast(pl.String))
        frame = frame.join(titles.unique(ITEM, keep="first"), on=ITEM, how="left", maintain_order="left")
    return Questionnaire(frame, len(share_G), recommender)


def _had(recommender: Recommender, seed: int) -> csr_matrix:
    """Ones where a user of the training part had an item, [users, I + 1]; at most 20,000 users, drawn."""
    assert recommender.learned is not None
    item_N, user_N = recommender.learned.item_N, recommender.learned.user_N
    known = item_N > 0
    pair = np.unique(user_N[known] * (len(recommender.items) + 1) + item_N[known])
    user_P, item_P = np.divmod(pair, len(recommender.items) + 1)
    users = np.unique(user_P)
    if len(users) < LEAST_USERS:
        raise DataError(
            f"Only {len(users)} users to learn from: too few to tell which questions part people.",
            hint=f"Give a log of at least {LEAST_USERS} users.",
        )
    if len(users) > LEARNED_FROM:
        users = np.sort(np.random.default_rng(seed).choice(users, size=LEARNED_FROM, replace=False))
        mine = np.isin(user_P, users)
        user_P, item_P = user_P[mine], item_P[mine]
    row_P = np.searchsorted(users, user_P)
    shape = (len(users), len(recommender.items) + 1)
    return csr_matrix((np.ones(len(row_P)), (row_P, item_P)), shape=shape)


def _groups(had_UI: csr_matrix, seed: int) -> IndexArray:
    """A group for each user: k-means over the leading singular vectors of what they had, every user of length 1."""
    users, items = had_UI.shape
    groups, directions = min(GROUPS, users // 5), min(DIRECTIONS, users - 1, items - 1)
    count_I = np.maximum(np.asarray(had_UI.sum(axis=0)).ravel(), 1.0)
    weighed = had_UI.multiply(np.log(1.0 + users / count_I)[None, :]).tocsr()  # what all have parts nobody
    start = np.random.default_rng(seed).normal(size=min(users, items))
    left_UD, size_D, _ = svds(weighed, k=directions, v0=start)
    place_UD = left_UD * size_D
    place_UD /= np.maximum(np.linalg.norm(place_UD, axis=1, keepdims=True), 1e-12)
    return _nearest_means(place_UD, groups, np.random.default_rng(seed))


def _nearest_means(place_UD: FloatArray, groups: int, rng: np.random.Generator) -> IndexArray:
    """Spherical k-means (Dhillon and Modha 2001) of points of length 1; groups that nobody is in are left out."""
    mean_GD = place_UD[rng.choice(len(place_UD), size=groups, replace=False)]
    group_U = np.argmax(place_UD @ mean_GD.T, axis=1)
    for _ in range(ROUNDS):
        total_GD = np.zeros_like(mean_GD)
        np.add.at(total_GD, group_U, place_UD)
        mean_GD = total_GD / np.maximum(np.linalg.norm(total_GD, axis=1, keepdims=True), 1e-12)
        group_U = np.argmax(place_UD @ mean_GD.T, axis=1)
    return np.unique(group_U, return_inverse=True)[1].astype(np.int64)


def _chances(had_UI: csr_matrix, group_U: IndexArray, asked: IndexArray) -> tuple[FloatArray, FloatArray]:
    """How likely somebody of each group had each item, smoothed to everybody's share; the groups' shares."""
    users, groups = len(group_U), int(group_U.max()) + 1
    member_GU = csr_matrix((np.ones(users), (group_U, np.arange(users))), shape=(groups, users))
    had_UA = had_UI[:, asked]
    size_G = np.bincount(group_U, minlength=groups).astype(np.float64)
    share_A = (np.asarray(had_UA.sum(axis=0)).ravel() + 0.5) / (users + 1.0)
    had_GA = np.asarray((member_GU @ had_UA).todense())
    return (had_GA + PRIOR_USERS * share_A) / (size_G[:, None] + PRIOR_USERS), size_G / users


def _greedy(
    chance_GA: FloatArray, share_G: FloatArray, had_NA: npt.NDArray[np.bool_], size: int
) -> tuple[IndexArray, FloatArray]:
    """Items in the order of asking, and the bits that each is expected to tell.

    Args:
        chance_GA: P(had item | group), strictly between 0 and 1.
        share_G: P(group).
        had_NA: What some people had: they answer, so that each next item suits what was said before.
        size: How many to choose.
    """
    posterior_NG = np.tile(share_G, (len(had_NA), 1))
    left = np.ones(chance_GA.shape[1], dtype=np.bool_)
    chosen: list[int] = []
    bits: list[float] = []
    for _ in range(min(size, chance_GA.shape[1])):
        gain_A = _expected_gain(posterior_NG, chance_GA)
        best = int(np.argmax(np.where(left, gain_A, -np.inf)))
        left[best] = False
        chosen.append(best)
        bits.append(float(gain_A[best]))
        said_NG = np.where(had_NA[:, best, None], chance_GA[:, best], 1.0 - chance_GA[:, best])
        posterior_NG = posterior_NG * said_NG
        posterior_NG /= posterior_NG.sum(axis=1, keepdims=True)
    return np.array(chosen, dtype=np.int64), np.array(bits)


def _expected_gain(posterior_NG: FloatArray, chance_GA: FloatArray) -> FloatArray:
    """Mutual information, in bits, of group and answer for each item, the mean over people.

    `I(G; X) = H(X) - H(X | G)`: two entropies of a coin, instead of one of the groups for every answer.
    """
    yes_NA = posterior_NG @ chance_GA
    gain_A: FloatArray = (_coin(yes_NA) - posterior_NG @ _coin(chance_GA)).mean(axis=0)
    return gain_A


def _coin(chance: FloatArray) -> FloatArray:
    """Entropy of a coin, in bits."""
    safe = np.clip(chance, 1e-12, 1.0 - 1e-12)
    return np.asarray(-(safe * np.log2(safe) + (1.0 - safe) * np.log2(1.0 - safe)))
