"""A log as it comes, to lists: columns are recognised, ids come back as they were.

Run: python examples/own_log.py
"""

import tempfile
from pathlib import Path

import horae

SONGS = [f"song {number:02}" for number in range(20)]


def csv_text() -> str:
    """Forty people, each walking through the songs in order from another start; the columns have names of their own."""
    lines = ["listener;song;played_at"]
    for person in range(40):
        for step in range(10):
            song = SONGS[(person + step) % len(SONGS)]
            lines.append(f"p{person};{song};2024-05-{step + 1:02} {8 + person % 12:02}:30")
    return "\n".join(lines)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "plays.csv"
        log.write_text(csv_text())
        events = horae.read_events(log, columns={"user_id": "listener"})
    print(f"{len(events)} events; columns and times as understood:")
    for step in events.report.steps:
        print(f"  {step.name}: {step.message}")

    split = horae.split_by_time(events)
    recommender = horae.train(split, "gru", overrides=["train.learning_rate=0.01", "model.dim=16"])
    print(recommender.recommend(users=["p0", "p1"], k=3).frame)

    evaluation = horae.evaluate(recommender, split)
    ours = evaluation.metrics["recall@5"].mean
    markov = evaluation.opponents["markov"]["recall@5"].mean
    print(f"recall@5: {ours:.2f}, of a Markov chain {markov:.2f}; leak audit passed: {evaluation.passed}")


if __name__ == "__main__":
    main()
