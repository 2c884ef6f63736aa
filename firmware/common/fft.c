/* Real FFT of 256 points as a complex FFT of 128 (even samples real, odd samples imaginary) and a split.
 * The complex transform is Stockham's autosort (no bit reversal), radix 4 three times and radix 2 once,
 * ping-pong between two buffers. Reference: C. Van Loan, Computational Frameworks for the FFT, SIAM 1992, 1.7 and 2.4. */
#include "fft.h"

#include "frontend_tables.h"

#define POINTS (LAN_FRAME / 2u)

_Static_assert(POINTS == 128u, "the pass structure 4 * 4 * 4 * 2 is for 128 complex points");

typedef struct {
    float re, im;
} cplx;

static inline cplx twiddled(cplx v, cplx w) {
    cplx r = {v.re * w.re - v.im * w.im, v.re * w.im + v.im * w.re};
    return r;
}

/* W = exp(-2 pi i k / LAN_FRAME) from the table in flash. */
static inline cplx twiddle(uint32_t k) {
    cplx w = {lan_twiddle[2u * k], lan_twiddle[2u * k + 1u]};
    return w;
}

/* One radix-4 pass over sub-transforms of `n` points, `stride` of them interleaved (n * stride = POINTS). */
static void pass4(const cplx *restrict x, cplx *restrict y, uint32_t n, uint32_t stride) {
    const uint32_t quarter = n / 4u;
    const uint32_t far = quarter * stride;
    for (uint32_t p = 0; p < quarter; p++) {
        /* W_n^p = W_FRAME^(p * FRAME / n), FRAME / n = 2 * stride */
        const cplx w1 = twiddle(2u * stride * p);
        const cplx w2 = twiddle(4u * stride * p);
        const cplx w3 = twiddle(6u * stride * p);
        const cplx *in = x + stride * p;
        cplx *out = y + stride * 4u * p;
        for (uint32_t q = 0; q < stride; q++, in++, out++) {
            const cplx a = in[0], b = in[far], c = in[2u * far], d = in[3u * far];
            const cplx ac = {a.re + c.re, a.im + c.im}, a_c = {a.re - c.re, a.im - c.im};
            const cplx bd = {b.re + d.re, b.im + d.im}, b_d = {b.re - d.re, b.im - d.im};
            const cplx t1 = {a_c.re + b_d.im, a_c.im - b_d.re};
            const cplx t2 = {ac.re - bd.re, ac.im - bd.im};
            const cplx t3 = {a_c.re - b_d.im, a_c.im + b_d.re};
            out[0].re = ac.re + bd.re;
            out[0].im = ac.im + bd.im;
            out[stride] = twiddled(t1, w1);
            out[2u * stride] = twiddled(t2, w2);
            out[3u * stride] = twiddled(t3, w3);
        }
    }
}

static void pass2(const cplx *restrict x, cplx *restrict y) {
    const uint32_t half = POINTS / 2u;
    for (uint32_t q = 0; q < half; q++) {
        const cplx a = x[q], b = x[q + half];
        y[q].re = a.re + b.re;
        y[q].im = a.im + b.im;
        y[q + half].re = a.re - b.re;
        y[q + half].im = a.im - b.im;
    }
}

void lan_power_spectrum(float work[LAN_FRAME], float power[LAN_FRAME + 2u]) {
    cplx *a = (cplx *)(void *)work;
    cplx *b = (cplx *)(void *)power;
    pass4(a, b, 128u, 1u);
    pass4(b, a, 32u, 4u);
    pass4(a, b, 8u, 16u);
    pass2(b, a);

    /* Z[k] of the packed sequence -> X[k] = E[k] + W^k O[k], E = (Z[k] + conj Z[N-k])/2, O = (Z[k] - conj Z[N-k])/2i */
    power[0] = (a[0].re + a[0].im) * (a[0].re + a[0].im);
    power[POINTS] = (a[0].re - a[0].im) * (a[0].re - a[0].im);
    for (uint32_t k = 1u; k <= POINTS / 2u; k++) {
        const cplx z = a[k], m = a[POINTS - k];
        const cplx even = {0.5f * (z.re + m.re), 0.5f * (z.im - m.im)};
        const cplx odd = {0.5f * (z.im + m.im), 0.5f * (m.re - z.re)};
        const cplx t = twiddled(odd, twiddle(k));
        const float re = even.re + t.re, im = even.im + t.im;
        const float re2 = even.re - t.re, im2 = even.im - t.im;
        power[k] = re * re + im * im;
        power[POINTS - k] = re2 * re2 + im2 * im2;
    }
}
