"""What the contests with the peers show. In: their results. Out: figures in two languages. It compares nothing anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["answers", "preparation", "quality", "training"]

Said = Iterator[tuple[tuple[str, str], str]]

KINDS: Final = {
    "as installed": ("as installed", "默认安装"),
    "tuned": ("tuned", "调优后"),
}
NEURAL: Final = ("rectools", "replay")


def training(result: Mapping[str, Any]) -> Said:
    """Our epoch, the ratio to the fastest peer of each kind, and the memory beside the leanest peer's."""
    for name, one in result["sets"].items():
        ours = one["sides"]["horae"]
        what = f"{name}: an epoch of SASRec, full softmax, CPU seconds", f"{name}：SASRec 一轮，全量 softmax，CPU 秒"
        yield what, _middle(ours["epoch_cpu_seconds"])
        for kind, (en, zh) in KINDS.items():
            peer = _least(one["cpu_ratio"], kind)
            what = f"{name}: ratio to the fastest peer {en}", f"{name}：与最快同类（{zh}）之比"
            yield what, f"{_ratio(one['cpu_ratio'][peer])} ({peer})"
        lean = _least(one["memory_ratio"], "")
        memory = ours["peak_memory_mb"]["median"] / 1000
        what = f"{name}: peak memory of that training", f"{name}：该训练的内存峰值"
        yield what, f"{memory:.2f} GB; leanest peer {_ratio(one['memory_ratio'][lean])} ({lean})"


def quality(result: Mapping[str, Any]) -> Said:
    """How much sooner we are where a peer is at its best."""
    for name, one in result["sets"].items():
        for peer, gap in one["to_the_best_of"].items():
            theirs = f"{gap['best']['validation_ndcg@10']:.4f} after {gap['cpu_seconds']:,.0f} s"
            what = f"{name}: CPU seconds to {peer}'s best NDCG@10", f"{name}：达到 {peer} 最佳 NDCG@10 的 CPU 秒"
            yield what, f"{_reached(gap)}; {theirs}"


def answers(result: Mapping[str, Any]) -> Said:
    """Users a CPU second, and the ratio to the fastest neural peer."""
    for name, one in result["sets"].items():
        ours = one["sides"]["horae"]["users_per_cpu_second"]
        neural = [side for side in one["ratio"] if side.startswith(NEURAL)]
        peer = min(neural, key=lambda side: one["ratio"][side]["ratio"])
        what = f"{name}: top 10 for all users, users a CPU second", f"{name}：全体用户前 10，每 CPU 秒用户数"
        yield what, f"{ours['median']:,.0f}; {_ratio(one['ratio'][peer])} ({peer})"


def preparation(result: Mapping[str, Any]) -> Said:
    """CPU seconds and memory beside RePlay's."""
    ours = result["sides"]["horae"]
    what = "10M events to training sequences, CPU seconds", "一千万事件到训练序列，CPU 秒"
    yield what, f"{_middle(ours['cpu_seconds'])}; {_each(result['cpu_ratio'])}"
    what = "10M events to training sequences, peak memory", "一千万事件到训练序列，内存峰值"
    yield what, f"{ours['peak_memory_mb']['median'] / 1000:.2f} GB; {_each(result['memory_ratio'])}"


def _each(ratios: Mapping[str, Any]) -> str:
    return "; ".join(f"{_ratio(one)} ({name})" for name, one in ratios.items())


def _least(ratios: Mapping[str, Any], kind: str) -> str:
    return min((name for name in ratios if kind in name), key=lambda name: ratios[name]["ratio"])


def _ratio(one: Mapping[str, float]) -> str:
    ratio, low, high = (f"{one[key]:.{2 - (one[key] >= 1)}f}" for key in ("ratio", "low", "high"))
    return f"{ratio}x [{low}, {high}]"


def _middle(one: Mapping[str, float]) -> str:
    return f"{one['median']:.1f} [{one['min']:.1f}, {one['max']:.1f}]"


def _reached(gap: Mapping[str, Any]) -> str:
    if gap["ratio"] is None:
        return "not reached"
    return f"{gap['ratio']:.1f}x sooner [{gap['ratio_low']:.1f}, {gap['ratio_high']:.1f}]"
