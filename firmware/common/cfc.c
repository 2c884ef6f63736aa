/* The closed-form solution of the liquid time-constant cell, in its gated form, Hasani et al., "Closed-form
 * continuous-time neural networks", Nature Machine Intelligence 4 (2022), 992-1003:
 *   x(t) = sigma(-f(x, I) t) * g(x, I) + (1 - sigma(-f(x, I) t)) * h(x, I)
 * with f, g and h as heads on one shared backbone. Time enters as a number, so frames need not be equally spaced. */
#include "cfc.h"

#include "dense.h"
#include "fmath.h"
#include "model.h"

_Static_assert((LAN_INPUTS + LAN_HIDDEN) % 4u == 0u && LAN_BACKBONE % 4u == 0u && LAN_HIDDEN % 4u == 0u, "lan_dense()");
_Static_assert(LAN_CLASSES % 4u == 0u, "lan_dense() writes four outputs at a time");

void lan_cfc_reset(lan_cfc_state *state) {
    for (uint32_t i = 0; i < LAN_HIDDEN; i++) {
        state->hidden[i] = 0.0f;
    }
}

void lan_cfc_step(lan_cfc_state *state, const float input[LAN_INPUTS], float elapsed_s, float logits[LAN_CLASSES]) {
    static float joined[LAN_INPUTS + LAN_HIDDEN];
    static float backbone[LAN_BACKBONE];
    static float heads[3u * LAN_HIDDEN];

    for (uint32_t i = 0; i < LAN_INPUTS; i++) {
        joined[i] = input[i];
    }
    for (uint32_t i = 0; i < LAN_HIDDEN; i++) {
        joined[LAN_INPUTS + i] = state->hidden[i];
    }
    lan_dense(lan_backbone_weight, lan_backbone_bias, joined, LAN_INPUTS + LAN_HIDDEN, backbone, LAN_BACKBONE);
    for (uint32_t i = 0; i < LAN_BACKBONE; i++) {
        backbone[i] = lan_tanhf(backbone[i]);
    }
    lan_dense(lan_head_weight, lan_head_bias, backbone, LAN_BACKBONE, heads, 3u * LAN_HIDDEN);
    const float t = elapsed_s * (1.0f / LAN_TIME_UNIT_S);
    for (uint32_t i = 0; i < LAN_HIDDEN; i++) {
        const float gate = lan_sigmoidf(-heads[i] * t);
        const float g = lan_tanhf(heads[LAN_HIDDEN + i]);
        const float h = lan_tanhf(heads[2u * LAN_HIDDEN + i]);
        state->hidden[i] = h + gate * (g - h);
    }
    lan_dense(lan_readout_weight, lan_readout_bias, state->hidden, LAN_HIDDEN, logits, LAN_CLASSES);
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
