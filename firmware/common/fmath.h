/* Fast single-precision log2, exp2, tanh and sigmoid. No libm, no tables: a few multiplications each.
 * The error bounds below are proved over dense grids by tests/unit/firmware/test_firmware_numerics.py. */
#ifndef LAN_FMATH_H
#define LAN_FMATH_H

#include <stdint.h>

typedef union {
    float f;
    uint32_t u;
} lan_bits;

/* log2(x) for normal x > 0; absolute error below 4e-6 (one rounding of the exponent's part), 1.7e-7 for 0.5 <= x < 2.
 * x = 2^e (1 + z): exponent from the bits; log2(1 + z) = 2/ln 2 * artanh(z / (2 + z)), the odd series to s^7,
 * with the mantissa centred on 1 (sqrt(1/2) <= m < sqrt 2), so |s| <= 0.1716. */
static inline float lan_log2f(float x) {
    lan_bits b = {.f = x};
    uint32_t shifted = b.u - 0x3f3504f3u; /* bits of sqrt(1/2): centres the mantissa */
    int32_t exponent = (int32_t)shifted >> 23;
    b.u = (shifted & 0x007fffffu) + 0x3f3504f3u;
    float s = (b.f - 1.0f) / (b.f + 1.0f);
    float s2 = s * s;
    float p = 0.41219858f;       /* 2 / (7 ln 2) */
    p = p * s2 + 0.57707802f;    /* 2 / (5 ln 2) */
    p = p * s2 + 0.96179669f;    /* 2 / (3 ln 2) */
    p = p * s2 + 2.88539008f;    /* 2 / ln 2 */
    return (float)exponent + p * s;
}

/* 2^x, relative error below 3e-7, clamped to [-126, 126].
 * Integer part into the exponent, Taylor of 2^f on [-0.5, 0.5] to the 6th power of f ln 2. */
static inline float lan_exp2f(float x) {
    if (x > 126.0f) {
        x = 126.0f;
    }
    if (x < -126.0f) {
        x = -126.0f;
    }
    int32_t whole = (int32_t)(x + (x < 0.0f ? -0.5f : 0.5f));
    float t = (x - (float)whole) * 0.69314718f;
    float p = 1.0f / 720.0f;
    p = p * t + 1.0f / 120.0f;
    p = p * t + 1.0f / 24.0f;
    p = p * t + 1.0f / 6.0f;
    p = p * t + 0.5f;
    p = p * t + 1.0f;
    p = p * t + 1.0f;
    lan_bits b = {.u = (uint32_t)(whole + 127) << 23};
    return p * b.f;
}

/* tanh(x), absolute error below 1e-4 (just past the limit; 1.6e-5 for |x| < 4). Lambert's continued fraction cut after
 * x^2/13, limited where it reaches 1. */
static inline float lan_tanhf(float x) {
    if (x > 4.97f) {
        return 1.0f;
    }
    if (x < -4.97f) {
        return -1.0f;
    }
    float x2 = x * x;
    float top = x * (135135.0f + x2 * (17325.0f + x2 * (378.0f + x2)));
    float bottom = 135135.0f + x2 * (62370.0f + x2 * (3150.0f + x2 * 28.0f));
    return top / bottom;
}

/* 1 / (1 + e^-x), absolute error below 5e-5. */
static inline float lan_sigmoidf(float x) { return 0.5f * lan_tanhf(0.5f * x) + 0.5f; }

#endif
