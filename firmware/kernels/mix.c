/* The idea of several kinds of integer work in one figure is that of processor benchmarks; programs and data are our own,
 * and figures compare with no other benchmark's. */
#include "mix.h"

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 16;
}

#define NODES 64u

typedef struct node {
    struct node *next;
    uint32_t value;
} node;

static node s_nodes[NODES];

/* Merge sort from below: runs of 1, 2, 4, ... are taken off the list and merged until one is left. */
static node *sort(node *list) {
    for (uint32_t length = 1;; length *= 2u) {
        node *rest = list, *head = 0, **end = &head;
        uint32_t merges = 0;
        while (rest != 0) {
            node *a = rest, *b = rest;
            uint32_t from_a = 0, from_b = length;
            for (; from_a < length && b != 0; from_a++) {
                b = b->next;
            }
            while (from_a != 0u || (from_b != 0u && b != 0)) {
                node *taken;
                if (from_a != 0u && (from_b == 0u || b == 0 || a->value <= b->value)) {
                    taken = a;
                    a = a->next;
                    from_a--;
                } else {
                    taken = b;
                    b = b->next;
                    from_b--;
                }
                *end = taken;
                end = &taken->next;
            }
            rest = b;
            merges++;
        }
        *end = 0;
        list = head;
        if (merges <= 1u) {
            return list;
        }
    }
}

uint32_t mix_list(uint32_t seed) {
    node *list = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        s_nodes[i].value = next_random(&seed);
        s_nodes[i].next = list;
        list = &s_nodes[i];
    }
    uint32_t found = 0;
    for (uint32_t i = 0; i < 16u; i++) {
        const uint32_t wanted = next_random(&seed) & 255u;
        for (const node *n = list; n != 0; n = n->next) {
            found += (n->value & 255u) == wanted ? 1u : 0u;
        }
    }
    node *reversed = 0;
    while (list != 0) {
        node *next = list->next;
        list->next = reversed;
        reversed = list;
        list = next;
    }
    uint32_t sum = found;
    for (const node *n = sort(reversed); n != 0; n = n->next) {
        sum = sum * 31u + n->value;
    }
    return sum;
}

#define SIZE 12u

static int16_t s_a[SIZE][SIZE], s_b[SIZE][SIZE];
static int32_t s_c[SIZE][SIZE];

uint32_t mix_matrix(uint32_t seed) {
    for (uint32_t i = 0; i < SIZE; i++) {
        for (uint32_t j = 0; j < SIZE; j++) {
            s_a[i][j] = (int16_t)next_random(&seed);
            s_b[i][j] = (int16_t)((int32_t)next_random(&seed) >> 4);
        }
    }
    uint32_t sum = 0;
    for (uint32_t i = 0; i < SIZE; i++) {
        for (uint32_t j = 0; j < SIZE; j++) {
            uint32_t cell = 0; /* modulo 2^32: a sum of twelve products may pass 2^31 */
            for (uint32_t k = 0; k < SIZE; k++) {
                cell += (uint32_t)((int32_t)s_a[i][k] * s_b[k][j]);
            }
            s_c[i][j] = (int32_t)cell;
            sum = sum * 31u + (cell >> 5 & 0x7FFu);
        }
    }
    return sum;
}

#define TEXT 256u

static char s_text[TEXT];

typedef enum { START, SIGN, DIGITS, POINT, DECIMALS, EXPONENT, EXPONENT_DIGITS, WRONG, STATES } state;

static state step(state now, char c) {
    const int digit = c >= '0' && c <= '9';
    switch (now) {
    case START:
        return digit ? DIGITS : c == '-' || c == '+' ? SIGN : c == '.' ? POINT : WRONG;
    case SIGN:
        return digit ? DIGITS : c == '.' ? POINT : WRONG;
    case DIGITS:
        return digit ? DIGITS : c == '.' ? DECIMALS : c == 'e' ? EXPONENT : WRONG;
    case POINT:
        return digit ? DECIMALS : WRONG;
    case DECIMALS:
        return digit ? DECIMALS : c == 'e' ? EXPONENT : WRONG;
    case EXPONENT:
    case EXPONENT_DIGITS:
        return digit ? EXPONENT_DIGITS : WRONG;
    default:
        return WRONG;
    }
}

uint32_t mix_state(uint32_t seed) {
    static const char k_alphabet[16] = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '1', ',', '.', ',', 'e', '-'};
    for (uint32_t i = 0; i < TEXT; i++) {
        s_text[i] = k_alphabet[next_random(&seed) & 15u];
    }
    uint32_t ends[STATES] = {0};
    state now = START;
    for (uint32_t i = 0; i < TEXT; i++) {
        if (s_text[i] == ',') {
            ends[now]++;
            now = START;
        } else {
            now = step(now, s_text[i]);
        }
    }
    ends[now]++;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < STATES; i++) {
        sum = sum * 31u + ends[i];
    }
    return sum;
}

uint32_t mix_crc(uint32_t seed) {
    uint32_t crc = 0xFFFFu;
    for (uint32_t i = 0; i < TEXT; i++) {
        crc ^= (next_random(&seed) & 255u) << 8;
        for (uint32_t bit = 0; bit < 8u; bit++) {
            crc = (crc & 0x8000u) != 0u ? crc << 1 ^ 0x1021u : crc << 1;
        }
        crc &= 0xFFFFu;
    }
    return crc;
}
