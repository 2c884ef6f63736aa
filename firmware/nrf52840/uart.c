/* Console on UARTE0 (Product Specification, chapter UARTE): 115200 8N1, EasyDMA.
 * Receive: one-byte transfers into two slots in turn. RXD.PTR is double-buffered: it may be changed after RXSTARTED, and
 * the short ENDRX -> STARTRX begins the next transfer without the CPU, so no byte is lost as long as the handler
 * comes within one byte time (86.8 us at this rate, 5,500 cycles). */
#include "fault.h"
#include "nrf52840.h"
#include "port.h"
#include "registers.h"

#define RING 2048u /* power of two: bytes that may arrive while one long answer is being sent */

static volatile uint8_t s_slot[2];
static volatile uint32_t s_active; /* slot that the running transfer fills */
static volatile uint8_t s_ring[RING];
static volatile uint32_t s_head, s_tail; /* head: written by the handler; tail: by port_getc */
static volatile uint32_t s_lost, s_lost_at; /* bytes of the gap that was not reported yet; s_head where it lies */
static volatile uint32_t s_sent;

/* Reading back makes sure that a cleared event is clear before the handler returns (write buffer). */
static void clear(volatile uint32_t *event) {
    *event = 0u;
    (void)*event;
}

static void note_loss(void) {
    if (s_lost == 0u) {
        s_lost_at = s_head;
    }
    s_lost = s_lost + 1u;
}

static void receive_start(void) {
    s_active = 0u;
    UARTE0_EVENTS_ENDRX = 0u;
    UARTE0_EVENTS_RXSTARTED = 0u;
    UARTE0_EVENTS_ERROR = 0u;
    UARTE0_RXD_PTR = (uint32_t)&s_slot[0];
    UARTE0_RXD_MAXCNT = 1u;
    UARTE0_SHORTS = UARTE_SHORT_ENDRX_STARTRX;
    UARTE0_INTENSET = UARTE_INT_ENDRX | UARTE_INT_RXSTARTED | UARTE_INT_ERROR;
    UARTE0_TASKS_STARTRX = 1u;
}

void uart_start(void) {
    P0_OUTSET = 1u << PIN_UART_TX; /* the line idles high, also while the UARTE is off */
    P0_PIN_CNF(PIN_UART_TX) = PIN_CNF_OUTPUT;
    P0_PIN_CNF(PIN_UART_RX) = PIN_CNF_INPUT_PULLUP; /* no cable: no floating input */
    UARTE0_PSEL_RTS = PSEL_DISCONNECTED;
    UARTE0_PSEL_CTS = PSEL_DISCONNECTED;
    UARTE0_PSEL_TXD = PIN_UART_TX;
    UARTE0_PSEL_RXD = PIN_UART_RX;
    UARTE0_BAUDRATE = UARTE_BAUD_115200;
    UARTE0_CONFIG = 0u; /* no parity, one stop bit, no flow control */
    UARTE0_ENABLE = UARTE_ENABLED;
    nvic_enable(IRQ_UARTE0);
    receive_start();
}

void uart_stop(void) {
    UARTE0_SHORTS = 0u; /* STOPRX makes ENDRX, which must not start the receiver again */
    UARTE0_INTENCLR = UARTE_INT_ENDRX | UARTE_INT_RXSTARTED | UARTE_INT_ERROR;
    /* Asleep until the receiver is off (434 us): as in clock_start_high(), the interrupt wakes and is never taken. */
    const uint32_t primask = irq_mask();
    UARTE0_EVENTS_RXTO = 0u;
    UARTE0_INTENSET = UARTE_INT_RXTO;
    UARTE0_TASKS_STOPRX = 1u;
    while (UARTE0_EVENTS_RXTO == 0u) {
        sleep_masked();
    }
    UARTE0_INTENCLR = UARTE_INT_RXTO;
    (void)UARTE0_INTENCLR;
    NVIC_ICPR(IRQ_UARTE0 / 32u) = 1u << (IRQ_UARTE0 % 32u);
    irq_restore(primask);
    UARTE0_EVENTS_TXSTOPPED = 0u;
    UARTE0_TASKS_STOPTX = 1u;
    while (UARTE0_EVENTS_TXSTOPPED == 0u) {
    }
    UARTE0_ENABLE = 0u;
}

void uart_irq(void) {
    if (UARTE0_EVENTS_ERROR != 0u) { /* before ENDRX: the byte that it garbled is behind the mark */
        clear(&UARTE0_EVENTS_ERROR);
        UARTE0_ERRORSRC = UARTE0_ERRORSRC; /* overrun, framing, break: clear by writing ones */
        note_loss();
    }
    if (UARTE0_EVENTS_ENDRX != 0u) { /* before RXSTARTED: the next transfer's start may be pending as well */
        clear(&UARTE0_EVENTS_ENDRX);
        const uint32_t head = s_head;
        if (s_lost != 0u || head - s_tail == RING) { /* after a loss nothing is kept until it is reported: one gap */
            note_loss();
        } else {
            s_ring[head % RING] = s_slot[s_active];
            s_head = head + 1u;
        }
        s_active = s_active ^ 1u;
    }
    if (UARTE0_EVENTS_RXSTARTED != 0u) {
        clear(&UARTE0_EVENTS_RXSTARTED);
        UARTE0_RXD_PTR = (uint32_t)&s_slot[s_active ^ 1u];
    }
    if (UARTE0_EVENTS_ENDTX != 0u) {
        clear(&UARTE0_EVENTS_ENDTX);
        s_sent = 1u;
    }
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

void port_write(const char *data, size_t length) {
    if (length == 0u) {
        return;
    }
    s_sent = 0u;
    UARTE0_EVENTS_ENDTX = 0u;
    UARTE0_TXD_PTR = (uint32_t)data;
    UARTE0_TXD_MAXCNT = length;
    UARTE0_INTENSET = UARTE_INT_ENDTX;
    UARTE0_TASKS_STARTTX = 1u;
    for (;;) {
        const uint32_t primask = irq_mask();
        const uint32_t sent = s_sent;
        if (sent == 0u) {
            sleep_masked();
        }
        irq_restore(primask);
        if (sent != 0u) {
            return;
        }
    }
}

/* Polls so long at most: 256 bytes take 22 ms. */
#define FAULT_POLLS 2000000u

void port_fault_write(const char *text, size_t length) {
    UARTE0_PSEL_TXD = PIN_UART_TX;
    UARTE0_BAUDRATE = UARTE_BAUD_115200;
    UARTE0_ENABLE = UARTE_ENABLED;
    UARTE0_EVENTS_TXSTOPPED = 0u;
    UARTE0_TASKS_STOPTX = 1u; /* a transfer may be under way */
    for (uint32_t n = FAULT_POLLS; n != 0u && UARTE0_EVENTS_TXSTOPPED == 0u; n--) {
    }
    UARTE0_EVENTS_ENDTX = 0u;
    UARTE0_TXD_PTR = (uint32_t)text;
    UARTE0_TXD_MAXCNT = length;
    UARTE0_TASKS_STARTTX = 1u;
    for (uint32_t n = FAULT_POLLS; n != 0u && UARTE0_EVENTS_ENDTX == 0u; n--) {
    }
}
