"""Every threshold, comparison, join and duration of the rules is held by a test: change it, and one fails.

Each mutant is one rule on its own, with the tests that are about it. promtool judges many in one call.
"""

from __future__ import annotations

import copy
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from required import binary

PROMETHEUS = Path(__file__).resolve().parents[3] / "monitoring" / "prometheus"
RULE_FILES = sorted(path.name for path in (PROMETHEUS / "rules").glob("*.yml"))
TESTS = {path.name: yaml.safe_load(path.read_text()) for path in (PROMETHEUS / "tests").glob("*.yml")}

Rule = dict[str, Any]

_QUOTED_OR_RANGE = re.compile(r'"[^"]*"|\[[^\]]*\]')
_NUMBER = re.compile(r"(?<![\w.:])\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])")
_COMPARISON = re.compile(r"==|[<>]")
_ON = re.compile(r"\bon \(([^)]*)\)")
_LIMIT = re.compile(r"m(?:in|ax) without \(instance\) \(lan_(?:budget|baseline)_\w+\)")
_MATCHER = re.compile(r'\{device!?=""\}')
_FLIPPED = {"<": ">", ">": "<", "==": "!="}
_FACTOR = 0.05
# Rates are not exact to the last bit: no test can stand exactly on these limits.
_INEXACT = {("latency", "device"), ("dropped_frames", "device"), ("flash", "device")}


def rules_of(name: str) -> list[Rule]:
    (group,) = yaml.safe_load((PROMETHEUS / "rules" / name).read_text())["groups"]
    rules: list[Rule] = group["rules"]
    return rules


def with_expr(rule: Rule, expr: str) -> Rule:
    return {**rule, "expr": expr}


def replaced(text: str, match: re.Match[str], by: str) -> str:
    return text[: match.start()] + by + text[match.end() :]


def visible(expr: str) -> str:
    """The expression with strings and ranges blanked, so that positions stay."""
    return _QUOTED_OR_RANGE.sub(lambda match: " " * len(match[0]), expr)


def changed(number: str) -> Iterator[str]:
    """A threshold a little larger and a little smaller; a small whole number by one."""
    value = float(number)
    step = 1.0 if value < 10 and value.is_integer() else _FACTOR * value
    yield f"{value + step:.9g}"
    yield f"({value - step:.9g})"


def expressions(rule: Rule) -> Iterator[tuple[str, str]]:
    """Mutants of the rule's expression, each with its name."""
    expr = rule["expr"]
    labels = rule.get("labels", {})
    for match in _NUMBER.finditer(visible(expr)):
        for other in changed(match[0]):
            yield f"{match[0]} becomes {other}", replaced(expr, match, other)
    exact = labels.get("source") and (labels.get("quantity"), labels["source"]) not in _INEXACT
    for match in _COMPARISON.finditer(visible(expr)):
        yield f"{match[0]} flipped", replaced(expr, match, _FLIPPED[match[0]])
        if exact and rule.get("alert") != "PerformanceRegression" and match[0] in "<>":
            yield f"{match[0]} or equal", replaced(expr, match, f"{match[0]}=")
    for match in _ON.finditer(expr):
        names = match[1].split(", ")
        for name in names:
            kept = ", ".join(one for one in names if one != name)
            yield f"not on {name}", replaced(expr, match, f"on ({kept})")
    if _MATCHER.search(expr):
        yield "device or not", _MATCHER.sub("", expr)
    # what stands behind `unless` is not compared
    limits = [one for one in _LIMIT.finditer(expr) if not expr[: one.start()].rstrip().endswith("statistic)")]
    for match in limits:
        for factor in (1 + _FACTOR, 1 - _FACTOR):
            yield f"limit by {factor}", replaced(expr, match, f"({factor} * {match[0]})")


def mutants(rule: Rule) -> Iterator[tuple[str, Rule]]:
    for name, expr in expressions(rule):
        yield name, with_expr(rule, expr)
    for key in ("for", "keep_firing_for"):
        if key in rule:
            yield f"no {key}", {other: value for other, value in rule.items() if other != key}
            minutes = int(rule[key].removesuffix("m"))
            yield f"{key} three times as long", {**rule, key: f"{3 * minutes}m"}


def about(rule: Rule, test: dict[str, Any]) -> dict[str, Any] | None:
    """What of the test is about the rule, None if nothing is."""
    if "record" in rule:
        expected = [one for one in test.get("promql_expr_test", []) if one["expr"] == rule["record"]]
        return {**test, "promql_expr_test": expected} if expected else None
    expected = [one for one in test.get("alert_rule_test", []) if one["alertname"] == rule["alert"]]
    fired = [alert["exp_labels"] for one in expected for alert in one["exp_alerts"]]
    if any(rule["labels"].items() <= labels.items() for labels in fired):
        return {**test, "alert_rule_test": expected}
    return None


class Bench:
    """A folder with one rule file and one test file for each mutant."""

    def __init__(self, folder: Path, rule_file: str) -> None:
        self._folder, self._rule_file = folder, rule_file
        self._made: dict[str, str] = {}

    def add(self, name: str, original: Rule, rule: Rule) -> None:
        """A mutant (or the original) with all tests about it."""
        key = f"{len(self._made):05}"
        self._made[key] = name
        group = {"name": Path(self._rule_file).stem, "rules": [rule]}
        (self._folder / f"{key}-rules.yml").write_text(yaml.safe_dump({"groups": [group]}))
        files, tests = {f"{key}-rules.yml"}, []
        for content in TESTS.values():
            needed = [Path(one).name for one in content["rule_files"]]
            if self._rule_file in needed:
                found = [part for test in content["tests"] if (part := about(original, test))]
                tests += copy.deepcopy(found)
                if found and "record" not in rule:
                    files |= {str(PROMETHEUS / "rules" / one) for one in needed if one == "devices.yml"}
                elif found:
                    files |= {str(PROMETHEUS / "rules" / one) for one in needed if one != self._rule_file}
        assert tests, f"no test is about {name}"
        hours = any("2170m" in str(test) for test in tests)
        content = {
            "rule_files": sorted(files),
            "evaluation_interval": "10m" if hours else "1m",
            "group_eval_order": ["lan-devices", group["name"]] if len(files) > 1 else [],
            "tests": tests,
        }
        (self._folder / f"{key}-test.yml").write_text(yaml.safe_dump(content))

    def passing(self, promtool: str) -> list[str]:
        """Names of those whose tests all pass."""
        said = self._run(promtool, "test", "-test.yml")
        verdicts = re.findall(r"Unit Testing:\s+(\d{5})-test\.yml\n\s+(SUCCESS|FAILED)", said)
        assert len(verdicts) == len(self._made), said
        return [self._made[key] for key, verdict in verdicts if verdict == "SUCCESS"]

    def check(self, promtool: str) -> None:
        """Mutants are rules that Prometheus takes: they fail for what they say."""
        said = self._run(promtool, "check", "-rules.yml")
        assert said.count("SUCCESS") == len(self._made), said

    def _run(self, promtool: str, what: str, suffix: str) -> str:
        files = [f"{key}{suffix}" for key in self._made]
        command = [promtool, what, "rules", *files]
        # what fails is told on standard error, in between what succeeds
        done = subprocess.run(
            command,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout


@pytest.mark.parametrize("rule_file", RULE_FILES)
def test_each_rule_alone_passes_its_tests_and_each_mutant_of_it_fails(rule_file: str, tmp_path: Path) -> None:
    promtool = binary("promtool", "prometheus")
    bench = Bench(tmp_path, rule_file)
    originals = []
    for rule in rules_of(rule_file):
        labels = rule.get("labels", {})
        name = " ".join((rule.get("alert") or rule["record"], labels.get("quantity", "")))
        originals.append(f"{name}: as it is")
        bench.add(originals[-1], rule, rule)
        for mutation, mutant in mutants(rule):
            bench.add(f"{name}: {mutation}", rule, mutant)
    bench.check(promtool)
    passing = bench.passing(promtool)
    assert [name for name in originals if name not in passing] == [], "the rule alone fails its own tests"
    assert [name for name in passing if name not in originals] == [], "no test notices the change"
