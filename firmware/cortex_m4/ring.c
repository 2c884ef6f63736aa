#include "ring.h"

#include "port.h"
#include "scs.h"
#include "startup.h"

#define RING 2048u /* power of two: bytes that may arrive while one long answer is being sent */

static volatile uint8_t s_ring[RING];
static volatile uint32_t s_head, s_tail;    /* bytes ever put, by the handlers; ever taken, by the main program */
static volatile uint32_t s_lost, s_lost_at; /* bytes of the gap that was not reported yet; s_head where it lies */

void ring_lose(void) {
    if (s_lost == 0u) {
        s_lost_at = s_head;
    }
    s_lost = s_lost + 1u;
}

void ring_put(uint8_t byte) {
    const uint32_t head = s_head;
    if (s_lost != 0u || head - s_tail == RING) {
        ring_lose();
    } else {
        s_ring[head % RING] = byte;
        s_head = head + 1u;
    }
}

size_t ring_take(uint8_t *to, size_t most) {
    uint32_t tail = s_tail;
    size_t taken = 0u;
    for (; taken < most && tail != s_head; taken++) {
        to[taken] = s_ring[tail++ % RING];
    }
    s_tail = tail;
    return taken;
}

int port_getc(void) {
    const uint32_t tail = s_tail;
    if (tail == s_head) {
        return -1;
    }
    const int c = s_ring[tail % RING];
    s_tail = tail + 1u;
    return c;
}

uint32_t port_take_rx_lost(void) {
    const uint32_t primask = irq_mask();
    uint32_t lost = 0u;
    if (s_lost != 0u && (int32_t)(s_tail - s_lost_at) >= 0) {
        lost = s_lost;
        s_lost = 0u;
    }
    irq_restore(primask);
    return lost;
}

void port_wait_input(void) {
    const uint32_t primask = irq_mask();
    if (s_head == s_tail && s_lost == 0u) {
        sleep_masked();
    }
    irq_restore(primask);
}
