/* Console on UARTE0 (Product Specification, chapter UARTE): 115200 8N1, EasyDMA.
 * Receive: one-byte transfers into two slots in turn. RXD.PTR is double-buffered: it may be changed after RXSTARTED, and
 * the short ENDRX -> STARTRX begins the next transfer without the CPU, so no byte is lost as long as the handler
 * comes within one byte time (86.8 us at this rate, 5,500 cycles).
 * Many bytes at once (port_read_start): the handler lets the running one-byte transfer end, and puts one long transfer
 * behind it by the same double-buffered registers; behind that, one-byte transfers again. The receiver never stops. */
#include "fault.h"
#include "nrf52840.h"
#include "port.h"
#include "registers.h"
#include "ring.h"
#include "startup.h"

static volatile uint8_t s_slot[2];
static volatile uint32_t s_active; /* slot that the running transfer fills */
static volatile uint32_t s_sent;

/* Bulk reception. s_bulk_next: the next transfer is the long one; s_bulk: the running one is. */
static uint8_t *s_to;
static volatile uint32_t s_wanted, s_filled;
static volatile uint32_t s_bulk_next, s_bulk;

/* Reading back makes sure that a cleared event is clear before the handler returns (write buffer). */
static void clear(volatile uint32_t *event) {
    *event = 0u;
    (void)*event;
}

/* A byte from a slot: to who waits for many, or else into the ring. */
static void take(uint8_t byte) {
    if (s_filled < s_wanted) {
        s_to[s_filled] = byte;
        s_filled = s_filled + 1u;
    } else {
        ring_put(byte);
    }
}

/* A transfer has ended. */
static void received(void) {
    if (s_bulk != 0u) {
        s_filled = s_filled + UARTE0_RXD_AMOUNT;
        s_bulk = 0u;
        s_active = 0u;
    } else {
        take(s_slot[s_active]);
        s_active = s_active ^ 1u;
    }
}

/* A transfer has begun: say where the one behind it goes. */
static void prepare_next(void) {
    s_bulk = s_bulk_next;
    s_bulk_next = 0u;
    if (s_bulk == 0u && s_wanted > s_filled + 1u) { /* one byte is under way to its slot */
        s_bulk_next = 1u;
        UARTE0_RXD_PTR = (uint32_t)(s_to + s_filled + 1u);
        UARTE0_RXD_MAXCNT = s_wanted - s_filled - 1u;
    } else {
        UARTE0_RXD_PTR = (uint32_t)&s_slot[s_bulk != 0u ? 0u : s_active ^ 1u];
        UARTE0_RXD_MAXCNT = 1u;
    }
}

static void receive_start(void) {
    s_active = 0u;
    s_wanted = s_filled = 0u;
    s_bulk = s_bulk_next = 0u;
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

/* Asleep until the receiver is off (434 us): as in clock_start_high(), the interrupt wakes and is never taken. */
static void receive_stop(void) {
    UARTE0_SHORTS = 0u; /* STOPRX makes ENDRX, which must not start the receiver again */
    UARTE0_INTENCLR = UARTE_INT_ENDRX | UARTE_INT_RXSTARTED | UARTE_INT_ERROR;
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
}

void uart_stop(void) {
    receive_stop();
    UARTE0_EVENTS_TXSTOPPED = 0u;
    UARTE0_TASKS_STOPTX = 1u;
    while (UARTE0_EVENTS_TXSTOPPED == 0u) {
    }
    UARTE0_ENABLE = 0u;
}

void uart_irq(void) {
    /* A byte may arrive while this runs, and sets ERROR, ENDRX and RXSTARTED in this order. Looked at the other way round,
     * none is seen without those before it; what comes later brings the interrupt again. */
    const uint32_t started = UARTE0_EVENTS_RXSTARTED;
    const uint32_t ended = UARTE0_EVENTS_ENDRX;
    const uint32_t error = UARTE0_EVENTS_ERROR;
    if (error != 0u) { /* before ENDRX: the byte that it garbled is behind the mark */
        clear(&UARTE0_EVENTS_ERROR);
        UARTE0_ERRORSRC = UARTE0_ERRORSRC; /* overrun, framing, break: clear by writing ones */
        ring_lose();
    }
    if (ended != 0u) { /* before RXSTARTED: the next transfer's start may be pending as well */
        clear(&UARTE0_EVENTS_ENDRX);
        received();
    }
    if (started != 0u) {
        clear(&UARTE0_EVENTS_RXSTARTED);
        prepare_next();
    }
    if (UARTE0_EVENTS_ENDTX != 0u) {
        clear(&UARTE0_EVENTS_ENDTX);
        s_sent = 1u;
    }
}

void port_read_start(uint8_t *to, size_t length) {
    const uint32_t primask = irq_mask();
    s_to = to;
    s_filled = ring_take(to, length);
    s_wanted = length;
    UARTE0_EVENTS_RXDRDY = 0u;
    irq_restore(primask);
}

/* Given up after idle_ms to twice that: whether a byte came is looked at only then. */
size_t port_read_finish(uint32_t idle_ms) {
    const uint32_t idle = idle_ms * LAN_TICK_HZ / 1000u;
    uint64_t limit = port_now() + idle;
    const uint32_t primask = irq_mask(); /* a byte between a look and the sleep then wakes the core all the same */
    while (s_filled < s_wanted) {
        if (port_now() >= limit) {
            if (UARTE0_EVENTS_RXDRDY == 0u) {
                break;
            }
            UARTE0_EVENTS_RXDRDY = 0u;
            limit = port_now() + idle;
        }
        rtc_sleep(limit);
        irq_restore(primask); /* handlers run here */
        (void)irq_mask();
    }
    if (s_filled < s_wanted) { /* the long transfer cannot be taken back: receiver off, and on again */
        receive_stop();
        if (s_bulk != 0u) {
            s_filled = s_filled + UARTE0_RXD_AMOUNT;
        }
        const size_t filled = s_filled;
        receive_start();
        irq_restore(primask);
        return filled;
    }
    irq_restore(primask);
    return s_filled;
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
