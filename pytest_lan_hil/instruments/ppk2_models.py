"""What is known of the Nordic Power Profiler Kit II: its inputs and its error limits.

Confirmed: the sample word, the conversion and the spike filter (ppk2_api 0.9.2, and the serialDevice.ts of
Nordic's own pc-nrfconnect-ppk, which agree); vendor and product id, the second serial port of firmware 1.2
and that VOUT falls about half a second after the port was closed (ppk2lab, protocol-spec.md, one device).

The ranges with their accuracy and resolution are the tables "Measurement accuracy" and "Measurement
resolution" of Nordic's PPK2 user guide as ppk2lab's calibration.md renders them: second hand, and typical
figures, not limits. The offsets are taken as one step of resolution. The accuracy of the source's voltage
and of the sample clock are UNCONFIRMED. Whoever has the guide at hand: replace the figure and its mark.
"""

from __future__ import annotations

from dataclasses import replace

from pytest_lan_hil.model.capture import Accuracy, CurrentRange

SAMPLE_RATE_HZ = 100_000
#: Names in a bench file to bits of a sample word's logic byte.
INPUTS: dict[str, int] = {f"d{n}": n for n in range(8)}
#: What the source can supply, millivolts.
SUPPLY_MV = (800, 5000)

#: Ranges 0 to 4: limit, gain (typical, taken as 95 %), one step of resolution.
RANGES = (
    CurrentRange(50e-6, 0.10, 0.2e-6),
    CurrentRange(500e-6, 0.10, 0.5e-6),
    CurrentRange(5e-3, 0.10, 5e-6),
    CurrentRange(50e-3, 0.10, 50e-6),
    CurrentRange(1.0, 0.15, 1e-3),
)

# No sample is beyond the last range: what is cut off there becomes a gap. Gain and offset of "beyond" stand
# for the samples within a range switch; how far they may be off, each record finds for itself.
_AMPERE = Accuracy(
    current_gain=0.0,
    current_offset_a=0.0,
    voltage_gain=0.05,  # not the PPK2's: how far a board's rail is from its nominal voltage, assumed
    voltage_offset_v=0.0,
    timebase=50e-6,  # unconfirmed
    source="PPK2 user guide, measurement accuracy and resolution (typical, second hand)",
    current_ranges=RANGES,
)

#: Mode to its error limits.
ACCURACY: dict[str, Accuracy] = {
    "ampere": _AMPERE,
    "source": replace(_AMPERE, voltage_gain=0.0, voltage_offset_v=50e-3),  # unconfirmed
}

NOTES = (
    "unconfirmed: the PPK2's error limits are the typical figures of its user guide, read second hand; the"
    " accuracy of its voltage source (50 mV) and of its sample clock (50 ppm) are assumed",
)
