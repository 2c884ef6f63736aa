/* Built-in audio by integer arithmetic, the same on every chip and host. */
#include "source.h"

#define SEGMENT_BITS 11u
#define SEGMENTS 6u

/* A hash of the index: white, seekable noise. (Mixing by xor-shift and odd multipliers; any good mixer does.) */
static int32_t noise(uint32_t index) {
    uint32_t h = index * 0x9e3779b1u;
    h ^= h >> 15;
    h *= 0x85ebca77u;
    h ^= h >> 13;
    h *= 0xc2b2ae3du;
    h ^= h >> 16;
    return (int32_t)(h & 0xffffu) - 32768;
}

/* Parabola through the zeros and tops of a sine; phase is a full turn in 2^32, result +-32767. */
static int32_t sine(uint32_t phase) {
    int32_t x = (int32_t)phase >> 16; /* -32768 .. 32767 is -pi .. pi */
    int32_t y = x < 0 ? -x : x;
    int32_t v = (x * (32768 - y)) >> 13;
    return v > 32767 ? 32767 : (v < -32767 ? -32767 : v);
}

int16_t lan_synthetic_sample(uint32_t index) {
    const uint32_t segment = (index >> SEGMENT_BITS) % SEGMENTS;
    const uint32_t n = index & ((1u << SEGMENT_BITS) - 1u);
    const int32_t background = noise(index) >> 13; /* +-4 counts: a quiet room's microphone */
    /* phase after n samples of a linear chirp from f0 by df per sample: f0 n + df n (n - 1) / 2, modulo one turn.
     * 200 Hz is 200/8000 of 2^32 per sample = 0x06666666; 3,000 Hz more over 2048 samples is df = 12 * 2^16 */
    const uint32_t sweep = (n * (n - 1u) / 2u) * 786432u;
    switch (segment) {
    case 1u:
        return (int16_t)(noise(index) >> 3);
    case 2u:
        return (int16_t)((sine(n * 0x06666666u + sweep) >> 2) + background);
    case 4u:
        return (int16_t)((sine(n * 0x66666666u - sweep) >> 2) + background);
    case 5u: /* 64 ms of noise, 64 ms of pause */
        return (int16_t)((n & 512u) != 0u ? background : (noise(index) >> 2));
    default:
        return (int16_t)background;
    }
}

void lan_source_frame(const int16_t *loaded, uint32_t count, uint32_t index, int16_t out[LAN_FRAME]) {
    if (count == 0u) {
        for (uint32_t i = 0; i < LAN_FRAME; i++) {
            out[i] = lan_synthetic_sample(index + i);
        }
        return;
    }
    const uint32_t frames = (count + LAN_FRAME - 1u) / LAN_FRAME;
    const uint32_t start = (index / LAN_FRAME % frames) * LAN_FRAME;
    for (uint32_t i = 0; i < LAN_FRAME; i++) {
        out[i] = start + i < count ? loaded[start + i] : 0;
    }
}
