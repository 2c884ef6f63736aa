#include "dense_kernels.h"

#include "dense.h"
#include "model.h"

void dense_ours(dense_in in, dense_out out) {
    for (uint32_t f = 0; f < DENSE_FRAMES; f++) {
        lan_dense(lan_backbone_weight, lan_backbone_bias, in[f], DENSE_INPUTS, out[f], DENSE_OUTPUTS);
    }
}

void dense_plain(dense_in in, dense_out out) {
    for (uint32_t f = 0; f < DENSE_FRAMES; f++) {
        for (uint32_t o = 0; o < DENSE_OUTPUTS; o++) {
            float sum = lan_backbone_bias[o];
            for (uint32_t i = 0; i < DENSE_INPUTS; i++) {
                sum += lan_backbone_weight[o * DENSE_INPUTS + i] * in[f][i];
            }
            out[f][o] = sum;
        }
    }
}
