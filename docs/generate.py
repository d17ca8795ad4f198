"""The reference pages and the results tables, made from the code: run `python docs/generate.py` after changing it.

In: the package, and `benchmarks/results/*.json`. Out: `docs/reference/*.md`, and what stands between the markers
`<!-- results -->` and `<!-- /results -->` in the READMEs and `docs/benchmarks.md`. With `--check` nothing is written;
pages that differ are named and the exit code is 1. It does not write the other pages: people do.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import re
import sys
import tempfile
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

ROOT: Final = Path(__file__).resolve().parent.parent
DOCS: Final = ROOT / "docs"
RESULTS: Final = ROOT / "benchmarks" / "results"
MADE: Final = "<!-- Made by docs/generate.py: change the code's docstrings, not this page. -->"
RESULT_PAGES: Final = {"README.md": "en", "README.zh-CN.md": "zh", "docs/benchmarks.md": "en"}
SECTION: Final = re.compile(r"^(Args|Attributes|Returns|Raises|Yields|Example|Source|Differs|Shape):\s*(.*)$")
NAMED: Final = ("Args", "Attributes", "Raises")

BESIDE: Final = {
    "DataSettings": "data.clean",
    "ShopSettings": "data.simulate",
    "Shop": "data.simulate",
    "Description": "data.checks",
    "Step": "schema",
    "DataReport": "schema",
    "Options": "training.train",
    "Evaluation": "evaluation.protocol",
    "Comparison": "training.compare",
}
"""What the public functions take and return, without being public names of `horae` themselves."""


def main() -> int:
    """Write the pages, or check them."""
    check = "--check" in sys.argv[1:]
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        sys.stdout.write(f"{'differs' if check else 'written'}: {path.relative_to(ROOT)}\n")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pages()[path], encoding="utf-8")
    return int(check and bool(stale))


def pages() -> dict[Path, str]:
    """Every page that is made, or has a part that is."""
    makers: dict[str, Callable[[], Iterable[str]]] = {
        "cli": cli_page,
        "recipes": recipes_page,
        "python": python_page,
        "errors": errors_page,
        "http": http_page,
    }
    made = {DOCS / "reference" / f"{name}.md": _page(maker()) for name, maker in makers.items()}
    return made | {ROOT / name: with_results(ROOT / name, language) for name, language in RESULT_PAGES.items()}


def _page(lines: Iterable[str]) -> str:
    title, *rest = lines
    return re.sub(r"\n{3,}", "\n\n", "\n".join([title, "", MADE, "", *rest])).rstrip() + "\n"


# --- the command line ---


def cli_page() -> Iterator[str]:
    """Every verb with its options and examples."""
    import horae.cli.failures
    import horae.cli.output

    yield "# Command line"
    yield "`horae VERB --help` says the same. Results go to standard output, everything else to standard error."
    yield ""
    yield _code(_indented_block(horae.cli.failures.__doc__ or ""), "text")
    yield "Every verb takes `--json` for one JSON document on standard output, and `--debug` for the traceback of an"
    yield "error. `horae --version` shows the version; `horae --install-completion` installs shell completion."
    yield ""
    for name, command in verbs():
        yield f"## horae {name}"
        yield ""
        yield inspect.cleandoc(command.help or "")
        yield ""
        yield _code(f"horae {name} {' '.join(_usage(command))}".rstrip(), "text")
        rows = [_option(command, parameter) for parameter in command.params if "--debug" not in parameter.opts]
        yield _table(("option", "value", "default", "what it does"), rows)
        examples = _examples(command)
        if examples:
            yield _code(examples, "console")


def verbs() -> list[tuple[str, Any]]:
    """Every verb by its full name, without the groups."""
    import typer.main

    import horae.cli

    def below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            yield name, command
            return
        for child in command.list_commands(None):
            yield from below(f"{name} {child}".strip(), command.commands[child])

    return list(below("", typer.main.get_command(horae.cli.app)))


def _usage(command: Any) -> Iterator[str]:
    for parameter in command.params:
        if not parameter.opts[0].startswith("-"):
            yield str(parameter.metavar or parameter.name.upper())
        elif parameter.required:
            yield f"{_shortest(parameter.opts)} {parameter.metavar or parameter.name.upper()}"
    yield "[OPTIONS]"


def _shortest(names: Sequence[str]) -> str:
    return min(names, key=len)


def _option(command: Any, parameter: Any) -> tuple[str, str, str, str]:
    hint = _bare(command.callback.__annotations__[parameter.name])
    names = " ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    if not parameter.opts[0].startswith("-"):
        names = f"`{parameter.metavar or parameter.name.upper()}`"
    value = "" if hint is bool or not names.startswith("`-") else str(parameter.metavar or type_text(hint))
    said = re.search(r"\s*\[default: (.*?)\]", parameter.help or "")
    default = said[1] if said else _default(parameter)
    return names, value and f"`{value}`", default, re.sub(r"\s*\[default: .*?\]", "", parameter.help or "")


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    shown = parameter.default is not None and parameter.default is not False
    return f"`{parameter.default}`" if shown else ""


def _bare(hint: Any) -> Any:
    hint = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if get_origin(hint) in (types.UnionType, typing.Union):
        return next(option for option in get_args(hint) if option is not type(None))
    return hint


def _examples(command: Any) -> str:
    text = (command.epilog or "").replace("\b", "").strip("\n")
    lines = [line for line in text.splitlines() if line.strip() and line.strip() != "Examples:"]
    return inspect.cleandoc("\n".join(lines)) if lines else ""


# --- recipes ---


def recipes_page() -> Iterator[str]:
    """Every key of every table, and each recipe as it is installed."""
    from horae.data.settings import DataSettings
    from horae.models.compose import model_keys
    from horae.models.encoders import ENCODERS
    from horae.models.network import NetworkSettings
    from horae.models.opponents import settings_of
    from horae.recommend.recommender import RecommendSettings
    from horae.training.loop import LoopSettings
    from horae.training.train import ObjectiveSettings

    yield "# Recipes"
    yield "A recipe is a TOML file with up to four tables. A key that does not exist, has the wrong type, or has no"
    yield "effect beside the others is an error. `horae recipes show NAME` prints a recipe with every default filled"
    yield "in; `--set table.key=value` overrides one key."
    yield ""
    yield "## [data]"
    yield ""
    yield "How the log is cleaned."
    yield ""
    yield _keys(DataSettings)
    yield "## [model]"
    yield ""
    yield f"Either `encoder` (one of {_listed(ENCODERS)}) or `opponent` (see [models](../models.md))."
    yield ""
    for part in model_keys():
        if part == "network":
            yield "### Every network"
            yield ""
            yield _keys(NetworkSettings)
        elif part in ENCODERS:
            yield f'### encoder = "{part}"'
            yield ""
            module, _, settings_name = ENCODERS[part]
            yield _keys(getattr(importlib.import_module(module), settings_name))
        else:
            yield f'### opponent = "{part}"'
            yield ""
            yield _keys(settings_of(part))
    yield "## [train]"
    yield ""
    yield "What is learned and how. Opponents only count, so their recipes have no `[train]`."
    yield ""
    yield _keys(ObjectiveSettings, LoopSettings)
    yield "## [recommend]"
    yield ""
    yield _keys(RecommendSettings)
    yield "## The installed recipes"
    yield ""
    for name, text in recipe_texts().items():
        yield f"### {name}"
        yield _code(text, "toml")


def recipe_texts() -> dict[str, str]:
    """Each installed recipe as it stands in the package."""
    import horae
    from horae.recipe import recipe_names

    folder = Path(horae.__file__).parent / "recipes"
    return {name: (folder / f"{name}.toml").read_text(encoding="utf-8").strip() for name in recipe_names()}


def _keys(*classes: type[Any]) -> str:
    rows = []
    for cls in classes:
        hints, told = get_type_hints(cls), entries(inspect.cleandoc(cls.__doc__ or ""), "Attributes")
        for key in dataclasses.fields(cls):
            doc = key.metadata.get("doc") or told.get(key.name, "")
            rows.append((f"`{key.name}`", type_text(hints[key.name]), f"`{_toml(key.default)}`", doc))
    return _table(("key", "type", "default", "what it does"), rows)


def _toml(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


# --- Python ---


def python_page() -> Iterator[str]:
    """The public names, then what they take and return."""
    import horae

    yield "# Python"
    yield "`import horae` is cheap: it loads neither torch nor polars until a name below is first used."
    yield ""
    names = [name for name in horae.__all__ if name != "__version__"]
    functions = [name for name in names if not inspect.isclass(getattr(horae, name))]
    tables = [n for n in names if n not in functions and not issubclass(getattr(horae, n), Exception)]
    yield "## Functions"
    yield ""
    for name in functions:
        yield from _callable(f"horae.{name}", getattr(horae, name), "###")
    yield "## Classes"
    yield ""
    for name in tables:
        yield from _class(f"horae.{name}", getattr(horae, name))
    yield "## What these take and return"
    yield ""
    for name, module in BESIDE.items():
        cls = getattr(importlib.import_module(f"horae.{module}"), name)
        yield from _class(f"horae.{module}.{name}", cls)
    yield "## Errors"
    yield ""
    yield "See [errors](errors.md): " + ", ".join(f"`horae.{n}`" for n in names if n not in (*functions, *tables)) + "."
    yield ""
    yield "`horae.__version__` is the version as text."


def _callable(name: str, function: Any, level: str) -> Iterator[str]:
    yield f"{level} {name.rpartition('.')[2]}"
    yield _code(_signature(name, function), "python")
    yield markdown(inspect.getdoc(function) or "")
    yield ""


def _class(name: str, cls: type[Any]) -> Iterator[str]:
    yield f"### {cls.__name__}"
    yield _code(_signature(name, cls), "python")
    yield markdown(inspect.cleandoc(cls.__doc__ or ""))
    yield ""
    members = {member: value for member, value in vars(cls).items() if not member.startswith("_")}
    told = (property, classmethod, types.FunctionType)
    if any(isinstance(value, told) for value in members.values()):
        yield "**Members**"
        yield ""
    for member, value in members.items():
        if isinstance(value, property):
            yield f"- **`.{member}`**: {_one_line(inspect.getdoc(value) or '')}"
        elif isinstance(value, told):
            bound = getattr(cls, member)
            first, *more = (inspect.getdoc(bound) or "").split("\n\n", 1)
            signature = _one_line(_signature(f".{member}", bound)).replace("( ", "(").replace(", )", ")")
            yield f"- **`{signature}`**: {_one_line(first)}"
            if more:
                yield "\n" + _shifted(markdown(more[0]), "  ")
    yield ""


def _signature(name: str, target: Any) -> str:
    parameters = [p for p in inspect.signature(target).parameters.values() if p.name != "self"]
    returns = "" if inspect.isclass(target) else _returns(target)
    said, keyword_only = [], False
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            if not any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters):
                said.append("*")
        said.append(_parameter(parameter))
    line = f"{name}({', '.join(said)}){returns}"
    if len(line) <= 100:
        return line
    return f"{name}(\n" + "".join(f"    {one},\n" for one in said) + f"){returns}"


def _returns(function: Any) -> str:
    hint = inspect.signature(function).return_annotation
    return "" if hint is inspect.Signature.empty else f" -> {_annotation(hint)}"


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = f"{stars}{parameter.name}"
    if parameter.annotation is not inspect.Parameter.empty:
        text += f": {_annotation(parameter.annotation)}"
    if parameter.default is inspect.Parameter.empty:
        return text
    made = type(parameter.default).__name__ == "_HAS_DEFAULT_FACTORY_CLASS"
    return f"{text} = {'...' if made else repr(parameter.default)}"


def _annotation(hint: Any) -> str:
    return hint if isinstance(hint, str) else inspect.formatannotation(hint)


# --- errors and HTTP ---


def errors_page() -> Iterator[str]:
    """The tree, its exit codes and what HTTP makes of it."""
    import horae.errors
    from horae.serve.problems import STATUS

    yield "# Errors"
    yield "Every refusal says what was expected, what was got (file, row, column) and what to do. In Python the parts"
    yield "are `.message` and `.hint`. `except horae.HoraeError` catches them all; errors of other libraries pass"
    yield "unchanged."
    yield ""
    yield _code(_indented_block(horae.errors.__doc__ or ""), "text")
    rows = []
    for name in ("HoraeError", *(n for n in horae.errors.__all__ if n != "HoraeError")):
        error = getattr(horae.errors, name)
        also = [base.__name__ for base in error.__bases__ if base.__module__ == "builtins" and base is not Exception]
        status, title = next(STATUS[kind] for kind in error.__mro__ if kind in STATUS)
        rows.append((f"`{name}`", ", ".join(f"`{one}`" for one in also), error.exit_code, f"{status} {title}",
                     _one_line((error.__doc__ or "").split("\n\n")[0])))  # fmt: skip
    yield _table(("error", "is also a", "exit code", "HTTP", "when"), rows)
    yield "What to do about the common ones: [your own log](../own-log.md#when-it-refuses)."


def http_page() -> Iterator[str]:
    """The routes, from the OpenAPI document."""
    from horae.serve.problems import STATUS

    document = openapi()
    yield "# HTTP"
    yield "`horae serve RUN` answers these routes; [serving](../serving.md) shows them at work. The running service has"
    yield "the same as a page (`/docs`) and for programs (`/openapi.json`)."
    yield ""
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            yield f"## {method.upper()} {path}"
            yield ""
            yield route.get("description", "")
            yield ""
            if "requestBody" in route:
                yield _fields(document, "request", _content(route["requestBody"]))
            yield _fields(document, "answer", _content(route["responses"]["200"]), told="")
    yield "## Refusals"
    yield ""
    yield "`application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, and where there is one `hint`"
    yield "and `errors` (a JSON `pointer` and a `detail` each)."
    yield ""
    yield _table(("status", "title", "from"), [(s, title, f"`{kind.__name__}`") for kind, (s, title) in STATUS.items()])
    yield "Besides these: 400 (not JSON), 404 and 405 (no such route), 413 (over 1 MiB), 415 (not declared as JSON),"
    yield "421 (asked for by another host name), 422 (a field is missing, unknown or impossible; or no event was"
    yield "taken)."


def openapi() -> dict[str, Any]:
    """The service's own description of itself; no run is needed for it."""
    from horae.data.store import EventStore
    from horae.serve import create_app

    with tempfile.TemporaryDirectory() as folder:
        store = EventStore(Path(folder) / "events.sqlite")
        try:
            found: dict[str, Any] = create_app(typing.cast(Any, types.SimpleNamespace()), store).openapi()
        finally:
            store.close()
    return found


def _content(holder: Mapping[str, Any]) -> Mapping[str, Any]:
    schema: Mapping[str, Any] = holder["content"]["application/json"]["schema"]
    return schema


def _fields(document: Mapping[str, Any], caption: str, schema: Mapping[str, Any], told: str = "Required. ") -> str:
    return _table((caption, "type", "what it is"), list(_field_rows(document, schema, "", told)))


def _field_rows(
    document: Mapping[str, Any], schema: Mapping[str, Any], above: str, told: str
) -> Iterator[tuple[str, str, str]]:
    schema = _resolved(document, schema)
    for name, field in schema.get("properties", {}).items():
        needed = told if name in schema.get("required", ()) else ""
        default = "" if field.get("default") in (None, [], {}, "") else f" Default: {field['default']}."
        about = f"{needed}{field.get('description', '')}{default}".strip()
        yield f"`{above}{name}`", _json_type(document, field), about
        for inner in _objects(document, field):
            listed = any(part.get("type") == "array" for part in (field, *field.get("anyOf", ())))
            yield from _field_rows(document, inner, f"{above}{name}{'[].' if listed else '.'}", told)


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _objects(document: Mapping[str, Any], field: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    resolved = _resolved(document, field)
    if "properties" in resolved:
        yield resolved
    for part in (*field.get("anyOf", ()), *([field["items"]] if "items" in field else ())):
        yield from _objects(document, part)


def _json_type(document: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        kinds = dict.fromkeys(_json_type(document, part) for part in field["anyOf"])
        return " or ".join(kind for kind in kinds if kind != "null")
    if field.get("type") == "array":
        return f"list of {_json_type(document, field.get('items', {}))}"
    return "object" if "$ref" in field else str(field.get("format", field.get("type", "anything")))


# --- results ---


def with_results(path: Path, language: str) -> str:
    """The page with its table of results made anew."""
    text = path.read_text(encoding="utf-8")
    table = _results(language)
    return re.sub(r"(?s)(<!-- results -->\n).*?(<!-- /results -->)", lambda m: f"{m[1]}{table}{m[2]}", text)


def _results(language: str) -> str:
    headers = {"en": ("what", "measured", "command"), "zh": ("内容", "实测", "命令")}[language]
    place = 0 if language == "en" else 1
    rows, sources = [], {}
    for claim, tell in FIGURES.items():
        file = RESULTS / f"{claim}.json"
        if not file.exists():
            continue
        result = json.loads(file.read_text(encoding="utf-8"))
        rows += [(what[place], figure, f"`{result['command']}`") for what, figure in tell(result)]
        sources[result["commit"][:10]] = result["machine"]
    if not rows:
        return {"en": "No results are committed yet.\n", "zh": "尚无已提交的结果。\n"}[language]
    at = "; ".join(f"{commit}: {one['cores']} cores, {one['cpu']}" for commit, one in sources.items())
    source = {"en": f"Commit and machine: {at}.", "zh": f"提交与机器：{at}。"}[language]
    return f"{_table(headers, rows)}\n{source}\n"


Said = Iterator[tuple[tuple[str, str], str]]


def _start(result: Mapping[str, Any]) -> Said:
    yield ("`import horae` (median)", "`import horae`（中位数）"), f"{result['import_seconds']['median']:.3f} s"
    yield ("`horae --help` (median)", "`horae --help`（中位数）"), f"{result['help_seconds']['median']:.2f} s"


def _prepare(result: Mapping[str, Any]) -> Said:
    labels = {
        "parquet": ("10M events, Parquet to sequences in memory", "一千万事件，从 Parquet 到内存中的序列"),
        "csv_with_describe": ("the same from CSV, `data describe` included", "同上，从 CSV，并含 `data describe`"),
    }
    for key, what in labels.items():
        runs = sorted(result[key], key=lambda run: run["seconds"])
        middle = runs[len(runs) // 2]
        yield what, f"{middle['seconds']:.1f} s, {middle['peak_memory_gb']:.1f} GB"


def _ml100k_report(result: Mapping[str, Any]) -> Said:
    yield (
        (
            "ml-100k, from `u.data` to the report with SASRec and all opponents",
            "ml-100k，从 `u.data` 到含 SASRec 与全部对手的报告",
        ),
        f"{result['seconds']:.0f} s",
    )


def _quality(en: str, zh: str) -> Callable[[Mapping[str, Any]], Said]:
    def tell(result: Mapping[str, Any]) -> Said:
        for metric, one in result["mean"].items():
            spread = "" if one["sd"] is None else f" (sd {one['sd']:.4f}, {len(result['runs'])} seeds)"
            yield (f"{en}: {metric}", f"{zh}：{metric}"), f"{one['mean']:.4f}{spread}"

    return tell


def _time_split(result: Mapping[str, Any]) -> Said:
    for name, one in result["sets"].items():
        for opponent in ("recent_popularity", "markov"):
            gap = one["against"].get(opponent, {}).get("ndcg@10")
            if gap is not None:
                what = (
                    f"{name}, time split: SASRec minus {opponent}, ndcg@10",
                    f"{name}，按时间切分：SASRec 减 {opponent}，ndcg@10",
                )
                yield what, f"{gap['difference']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}]"


def _answers(result: Mapping[str, Any]) -> Said:
    everybody, one = result["all_users_of_ml_1m"], result["one_unseen_history"]
    what = f"{everybody['users']:,} users of ml-1m, top 10", f"ml-1m 的 {everybody['users']:,} 个用户，各取前 10"
    yield what, f"{everybody['seconds']:.1f} s"
    what = f"one unseen history, {one['items']:,} items (median)", f"一段陌生历史，{one['items']:,} 个物品（中位数）"
    yield what, f"{one['median_ms']:.1f} ms"


def _simulate(result: Mapping[str, Any]) -> Said:
    yield ("simulate a shop's log of 1M events", "模拟一份一百万事件的商店日志"), f"{result['seconds']['median']:.1f} s"


FIGURES: Final[dict[str, Callable[[Mapping[str, Any]], Said]]] = {
    "ml100k_quality": _quality("ml-100k, leave-one-out, SASRec", "ml-100k，留一法，SASRec"),
    "beauty_quality": _quality("amazon-beauty-2014, leave-one-out, SASRec", "amazon-beauty-2014，留一法，SASRec"),
    "time_split": _time_split,
    "ml100k_report": _ml100k_report,
    "prepare": _prepare,
    "answers": _answers,
    "simulate": _simulate,
    "start": _start,
}
"""Which figures of each claim's result are shown; a claim without a result is left out."""


# --- docstrings and Markdown ---


def sections(docstring: str) -> list[tuple[str, str]]:
    """A Google docstring (dedented) in parts: `("", prose)` and `(name, text)`, in order."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in docstring.splitlines():
        head = SECTION.match(line)
        if head:
            parts.append((head[1], [head[2]] if head[2] else []))
        elif line and not line.startswith(" ") and parts[-1][0] and not (parts[-1][1] and parts[-1][1][-1]):
            parts.append(("", [line]))
        else:
            parts[-1][1].append(line)
    return [(name, inspect.cleandoc("\n".join(["", *lines])).strip("\n")) for name, lines in parts]


def entries(docstring: str, section: str) -> dict[str, str]:
    """`name: text` entries of a section, each on one line."""
    found: dict[str, str] = {}
    last = ""
    for name, text in sections(docstring):
        for line in text.splitlines() if name == section else ():
            entry = re.match(r"^(\*{0,2}[\w, ]+?):\s+(.*)$", line)
            if entry and not line.startswith(" "):
                last = entry[1]
                found[last] = entry[2]
            elif last:
                found[last] = f"{found[last]} {line.strip()}".strip()
    return found


def markdown(docstring: str) -> str:
    """A docstring as Markdown: named entries become lists, other sections paragraphs."""
    said = []
    for name, text in sections(docstring):
        if not name:
            said.append(text)
        elif name in NAMED:
            lines = [f"- `{entry}`: {about}" for entry, about in entries(docstring, name).items()]
            said.append("\n".join([f"**{name}**", "", *lines]))
        else:
            said.append(f"**{name}**" + ("\n\n" if "\n" in text else " ") + text)
    return "\n\n".join(part for part in said if part.strip())


def type_text(hint: Any) -> str:
    """A type as a reader of recipes writes it."""
    if get_origin(hint) is Literal:
        return " or ".join(f'"{value}"' for value in get_args(hint))
    if get_origin(hint) in (types.UnionType, typing.Union):
        return " or ".join(type_text(option) for option in get_args(hint) if option is not type(None))
    if get_origin(hint) in (tuple, list):
        return f"list of {type_text(get_args(hint)[0])}"
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path"}.get(
        getattr(hint, "__name__", ""), str(hint)
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [[_cell(cell) for cell in row] for row in rows]
    if not lines:
        return "None.\n"
    body = [f"| {' | '.join(row)} |" for row in [list(header), ["---"] * len(header), *lines]]
    return "\n".join(body) + "\n"


def _cell(value: object) -> str:
    return _one_line(str(value)).replace("|", "\\|")


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _code(text: str, language: str) -> str:
    return f"\n```{language}\n{text}\n```\n"


def _indented_block(docstring: str) -> str:
    """The indented lines of a docstring: its drawing."""
    lines = [line for line in inspect.cleandoc(docstring).splitlines() if line.startswith("    ")]
    return inspect.cleandoc("\n".join(["", *lines]))


def _shifted(text: str, indent: str) -> str:
    return "\n".join(f"{indent}{line}".rstrip() for line in text.splitlines()) + "\n"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    sys.exit(main())
