"""The search: good and bad are built and compared, then the commits between them, until one is left."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from pytest_lan_hil.model.errors import HilError, InputError
from pytest_lan_hil.model.record import RunRecord
from pytest_lan_hil.run.bisect.building import BuildFailed, KeptImage, Recipe
from pytest_lan_hil.run.bisect.git import Bisection, Checkout, Commit, Worktree
from pytest_lan_hil.run.bisect.session import Comparer
from pytest_lan_hil.run.bisect.verdict import Found, Word, found_in


@dataclass(frozen=True, slots=True)
class Step:
    """One commit that was judged.

    Attributes:
        commit: Which.
        found: What it is.
        record: Of the session that compared it with the good one; None if there was none.
        record_path: Where that record is.
        like: A commit that was compared before and has the same image; None if this one was compared itself.
    """

    commit: Commit
    found: Found
    record: RunRecord | None = None
    record_path: Path | None = None
    like: Commit | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What the search came to.

    Attributes:
        proof: Bad compared with good.
        suspects: Commits of which one is the first bad one, newest first: a single one, unless commits could
            not be judged; none if `proof` is not bad.
        step: Of that single one.
    """

    proof: Step
    suspects: tuple[Commit, ...] = ()
    step: Step | None = None


@dataclass
class Search:
    """A search, and what it knows so far.

    Attributes:
        checkout: The user's.
        recipe: How an image is made.
        comparer: How two images are compared.
        folder: Images, logs and records of each step are kept here.
        quantities: Only these count; none: all.
        say: Told what goes on, a line at a time.
        steps: Judged so far, in order.
    """

    checkout: Checkout
    recipe: Recipe
    comparer: Comparer
    folder: Path
    quantities: Collection[str]
    say: Callable[[str], None]
    steps: list[Step] = field(default_factory=list)
    _by_image: dict[str, Step] = field(default_factory=dict)

    def run(self, good: Commit, bad: Commit) -> Result:
        """Find the first bad commit.

        Raises:
            InputError: Good or bad can't be built; nothing was compared; git refuses.
            BlockedError: The bench is at fault.
        """
        self.checkout.require_ancestor(good, bad)
        with self.checkout.worktree(good) as tree:
            base = self._built(tree, good, "good")
            tree.check_out(bad)
            proof = self._judged(bad, self._built(tree, bad, "bad"), base)
            if proof.found.word is not Word.BAD:
                return Result(proof)
            tree.check_out(good)
            bisection = Bisection(tree, good, bad)
            try:
                self._walk(bisection, tree, base)
            except HilError:
                newest, *others = bisection.suspects
                self.say(f"so far: {newest} is bad, {len(others)} commits before it are suspect")
                raise
            finally:
                (self.folder / "bisect.log").write_text(bisection.log, encoding="utf-8")
            suspects = tuple(bisection.suspects)
        return Result(proof, suspects, self._step_of(suspects[0]) if len(suspects) == 1 else None)

    def _walk(self, bisection: Bisection, tree: Worktree, base: KeptImage) -> None:
        while (here := bisection.here) is not None:
            self.say(f"{len(bisection.suspects)} suspects left")
            try:
                step = self._judged(here, self.recipe.build(tree.top, self._folder(here)), base)
            except BuildFailed as failure:
                step = self._note(Step(here, Found(Word.SKIP, f"not built: {failure}")))
            bisection.mark(step.found.word.value)

    def _built(self, tree: Worktree, commit: Commit, name: str) -> KeptImage:
        self.say(f"building {name}: {commit}")
        try:
            return self.recipe.build(tree.top, self._folder(commit))
        except BuildFailed as failure:
            raise InputError(
                f"{name} commit {commit} can't be built: {failure}",
                fix="correct the build command behind `--`, or give another commit",
            ) from None

    def _judged(self, commit: Commit, image: KeptImage, base: KeptImage) -> Step:
        """Compare; an image that was judged before is what it was."""
        if image.sha256 == base.sha256:
            return self._note(Step(commit, Found(Word.GOOD, "its image is that of the good commit")))
        known = self._by_image.get(image.sha256)
        if known is not None:
            found = Found(known.found.word, f"its image is that of {known.commit}: {known.found.reason}")
            return self._note(Step(commit, found, known.record, known.record_path, known.commit))
        self.say(f"comparing {commit}")
        record, path = self.comparer.compare(base.path, image.path, self._folder(commit) / "session.log")
        step = Step(commit, found_in(record, self.quantities), record, path)
        self._by_image[image.sha256] = step
        return self._note(step)

    def _note(self, step: Step) -> Step:
        self.steps.append(step)
        first, *_ = step.found.reason.splitlines()
        self.say(f"{step.found.word.value}: {step.commit}: {first}")
        return step

    def _step_of(self, commit: Commit) -> Step:
        return next(step for step in self.steps if step.commit == commit)

    def _folder(self, commit: Commit) -> Path:
        """Of a commit's image and logs."""
        return self.folder / commit.sha[:12]
