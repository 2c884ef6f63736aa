/* The closed-form solution of the liquid time-constant cell, in its gated form, Hasani et al., "Closed-form
 * continuous-time neural networks", Nature Machine Intelligence 4 (2022), 992-1003:
 *   x(t) = sigma(-f(x, I) t) * g(x, I) + (1 - sigma(-f(x, I) t)) * h(x, I)
 * with f, g and h as heads on one shared backbone. Time enters as a number, so frames need not be equally spaced. */
#include "cfc.h"

#include "fmath.h"
#include "model.h"

/* out = W in + b. Weights in blocks of four outputs, [block][input][4]: four independent sums keep the FPU's
 * multiply and add pipelined (a result used by the next instruction costs a stall), one input load serves four.
 * Written as multiply and add, never fused (-ffp-contract=off): that is faster on a Cortex-M4 (1 + 1 cycles against 3,
 * Cortex-M4 TRM table 7-1) and gives the same bits as any IEEE host. */
static void dense(const float *restrict weight, const float *restrict bias, const float *restrict in, uint32_t inputs,
                  float *restrict out, uint32_t outputs) {
    for (uint32_t block = 0; block < outputs; block += 4u) {
        float s0 = bias[block], s1 = bias[block + 1u], s2 = bias[block + 2u], s3 = bias[block + 3u];
        const float *x = in;
        for (uint32_t n = inputs / 4u; n != 0u; n--) {
            for (uint32_t j = 0; j < 4u; j++) {
                const float v = *x++;
                const float p0 = weight[0] * v, p1 = weight[1] * v, p2 = weight[2] * v, p3 = weight[3] * v;
                weight += 4;
                s0 += p0;
                s1 += p1;
                s2 += p2;
                s3 += p3;
            }
        }
        out[block] = s0;
        out[block + 1u] = s1;
        out[block + 2u] = s2;
        out[block + 3u] = s3;
    }
}

_Static_assert((LAN_MELS + LAN_HIDDEN) % 4u == 0u && LAN_BACKBONE % 4u == 0u && LAN_HIDDEN % 4u == 0u, "dense()");
_Static_assert(LAN_CLASSES % 4u == 0u, "dense() writes four outputs at a time");

void lan_cfc_reset(lan_cfc_state *state) {
    for (uint32_t i = 0; i < LAN_HIDDEN; i++) {
        state->hidden[i] = 0.0f;
    }
}

void lan_cfc_step(lan_cfc_state *state, const float input[LAN_MELS], float elapsed_s, float logits[LAN_CLASSES]) {
    static float joined[LAN_MELS + LAN_HIDDEN];
    static float backbone[LAN_BACKBONE];
    static float heads[3u * LAN_HIDDEN];

    for (uint32_t i = 0; i < LAN_MELS; i++) {
        joined[i] = input[i];
    }
    for (uint32_t i = 0; i < LAN_HIDDEN; i++) {
        joined[LAN_MELS + i] = state->hidden[i];
    }
    dense(lan_backbone_weight, lan_backbone_bias, joined, LAN_MELS + LAN_HIDDEN, backbone, LAN_BACKBONE);
    for (uint32_t i = 0; i < LAN_BACKBONE; i++) {
        backbone[i] = lan_tanhf(backbone[i]);
    }
    dense(lan_head_weight, lan_head_bias, backbone, LAN_BACKBONE, heads, 3u * LAN_HIDDEN);
    const float t = elapsed_s * (1.0f / LAN_TIME_UNIT_S);
    for (uint32_t i = 0; i < LAN_HIDDEN; i++) {
        const float gate = lan_sigmoidf(-heads[i] * t);
        const float g = lan_tanhf(heads[LAN_HIDDEN + i]);
        const float h = lan_tanhf(heads[2u * LAN_HIDDEN + i]);
        state->hidden[i] = h + gate * (g - h);
    }
    dense(lan_readout_weight, lan_readout_bias, state->hidden, LAN_HIDDEN, logits, LAN_CLASSES);
}

void lan_softmax(const float logits[LAN_CLASSES], float probabilities[LAN_CLASSES]) {
    float top = logits[0];
    for (uint32_t i = 1; i < LAN_CLASSES; i++) {
        top = logits[i] > top ? logits[i] : top;
    }
    float sum = 0.0f;
    for (uint32_t i = 0; i < LAN_CLASSES; i++) {
        probabilities[i] = lan_exp2f((logits[i] - top) * 1.44269504f);
        sum += probabilities[i];
    }
    const float scale = 1.0f / sum;
    for (uint32_t i = 0; i < LAN_CLASSES; i++) {
        probabilities[i] *= scale;
    }
}
