"""A program that answers as an MLPerf Tiny DUT does, deterministic, for tests: run it as `exec:`.

Commands and answers follow the reference (mlcommons/tiny, benchmark/api). Its "inference" says which class
the first byte of the input is, or how far the input's mean is from 128; it takes `--microseconds` on its own
clock, which is counted and not measured, so that a window of ten seconds is over at once. `--real-time` makes
it sleep as long.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time


class Dut:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.now_us = options.start_us
        self.buffer = b""
        self.expected = 0
        self.inferences = 0

    def say(self, *lines: str) -> None:
        sys.stdout.write("".join(f"{line}\r\n" for line in lines))
        sys.stdout.flush()

    def run(self) -> None:
        if self.options.greet:
            self.say("m-timestamp-mode-performance", "m-lap-us-1", "m-init-done", "m-ready")
        typed = ""
        while data := os.read(0, 4096):
            typed += data.decode()
            while "%" in typed:
                command, _, typed = typed.partition("%")
                words = command.split()
                answer = getattr(self, f"do_{words[0]}", None) if words else None
                if answer is None:
                    self.say(f"e-[Unknown command: {words[0] if words else ''}]")
                else:
                    answer(*words[1:])
                self.say("m-ready")

    def do_name(self) -> None:
        self.say("m-name-dut-[pty]")

    def do_profile(self) -> None:
        self.say(f"m-profile-[{self.options.profile}]", f"m-model-[{self.options.model}]")

    def stamp(self) -> None:
        if not self.options.pin:
            self.say(f"m-lap-us-{self.now_us % 2**32}")

    def do_timestamp(self) -> None:
        self.stamp()

    def do_db(self, *words: str) -> None:
        if words[0] == "load":
            self.expected, self.buffer = int(words[1]), b""
            self.say(f"m-[Expecting {self.expected} bytes]")
        else:
            self.buffer += bytes.fromhex("".join(words))
            if len(self.buffer) >= self.expected:
                self.say("m-load-done")

    def do_infer(self, count: str = "1", warmups: str = "10") -> None:
        self.say(f"m-warmup-start-{warmups}", "m-warmup-done", f"m-infer-start-{count}")
        if self.inferences + int(count) > self.options.crash_after:
            sys.stderr.write("assertion failed: arena too small\n")
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGABRT)
        self.stamp()
        took_us = int(count) * self.options.microseconds
        if self.options.real_time:
            time.sleep(took_us * 1e-6)
        self.now_us += took_us
        self.inferences += int(count)
        self.stamp()
        self.say("m-infer-done")
        self.do_results()

    def do_results(self) -> None:
        if self.options.classes == 1:
            mean = sum(self.buffer) / max(len(self.buffer), 1)
            values = [abs(mean - 128)]
        else:
            told = self.buffer[0] % self.options.classes if self.buffer else 0
            values = [
                0.9 if k == told else 0.1 / (self.options.classes - 1) for k in range(self.options.classes)
            ]
        if self.options.broken:
            values[0] = float("nan")
        self.say(f"m-results-[{','.join(f'{value:.3f}' for value in values)}]")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="kws01")
    parser.add_argument("--profile", default="ULPMark for tinyML Firmware V0.0.1")
    parser.add_argument("--classes", type=int, default=12)
    parser.add_argument("--microseconds", type=int, default=20_000)
    parser.add_argument("--start-us", type=int, default=2**32 - 15_000_000)
    parser.add_argument("--crash-after", type=int, default=sys.maxsize)
    parser.add_argument("--real-time", action="store_true")
    parser.add_argument("--broken", action="store_true")
    parser.add_argument("--pin", action="store_true")
    parser.add_argument("--greet", action="store_true")
    Dut(parser.parse_args()).run()


if __name__ == "__main__":
    main()
