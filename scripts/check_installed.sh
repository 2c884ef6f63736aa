#!/usr/bin/env bash
# What a user gets: the wheel in a fresh virtual environment, and a project of three lines in another folder.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/venv"
"$work/venv/bin/pip" wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$work" .
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "$(echo "$work"/*.whl)[virtual]"

mkdir "$work/project"
cd "$work/project"
export LAN_HIL_STATE="$work/state" LAN_HIL_VIRTUAL_STATE="$work/virtual"
# A budget in mW, and the exit code that pytest must end with.
while read -r budget wanted; do
  printf 'import pytest\n\n@pytest.mark.power_budget(%s)\ndef test_listening(dut):\n    dut.run_for(2)\n' "$budget" >test_power.py
  got=0
  "$work/venv/bin/pytest" --board nrf52840 --bench virtual >out.txt 2>&1 || got=$?
  if [ "$got" != "$wanted" ] || ! grep -q SIMULATED out.txt; then
    cat out.txt
    echo "power_budget($budget): exit code $got instead of $wanted, or nothing said SIMULATED" >&2
    exit 1
  fi
  grep "mean power" out.txt
done <<'CASES'
1.2 0
0.01 1
CASES
echo "installed wheel: passes with 1.2 mW, fails with 0.01 mW"

# The desktop board is built from the sources in the wheel.
printf 'def test_name(dut):\n    assert "lan" in dut.name()\n' >test_power.py
"$work/venv/bin/pytest" --board desktop --bench desktop >out.txt 2>&1 || { cat out.txt; exit 1; }
echo "installed wheel: builds and tests the desktop board"
