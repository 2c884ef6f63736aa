/* The energy of the difference between samples, not of the samples: a microphone's offset and mains hum vanish, the
 * weak hiss that begins "six" or "four" stays. The noise floor rises slowly (1/32 per frame: e-fold in a second), so
 * that a word passes before the floor has reached it, and falls fast (a quarter of the way per frame). */
#include "gate.h"

static struct {
    uint32_t floor;
    uint32_t hang; /* frames that still run, the present one included */
} s_gate = {LAN_GATE_FLOOR, 0};

void lan_gate_reset(void) {
    s_gate.floor = LAN_GATE_FLOOR;
    s_gate.hang = 0;
}

uint32_t lan_gate_energy(const int16_t pcm[LAN_FRAME]) {
    int64_t sum = 0; /* below 255 * 65535^2 < 2^40 */
    int32_t before = pcm[0];
    for (uint32_t i = 1; i < LAN_FRAME; i++) {
        const int32_t now = pcm[i], step = now - before;
        sum += (int64_t)step * step;
        before = now;
    }
    return (uint32_t)(sum / (int64_t)LAN_FRAME);
}

int lan_gate_step(uint32_t energy) {
    const uint32_t floor = s_gate.floor;
    if ((uint64_t)floor * LAN_GATE_RATIO <= energy) {
        s_gate.hang = LAN_GATE_HANG + 1u;
    } else if (s_gate.hang != 0u) {
        s_gate.hang--;
    }
    if (energy > floor) {
        const uint32_t rise = (floor >> 5) + 1u, room = energy - floor;
        s_gate.floor = floor + (rise < room ? rise : room);
    } else {
        const uint32_t fallen = floor - ((floor - energy + 3u) >> 2);
        s_gate.floor = fallen < LAN_GATE_FLOOR ? LAN_GATE_FLOOR : fallen;
    }
    return s_gate.hang != 0u;
}
