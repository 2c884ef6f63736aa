/* Console on USART3 (RM0402, chapters USART and DMA): 115200 8N1, both directions by DMA1.
 * Receive: a circular transfer into a small buffer, emptied into the ring at half, at its end and when the line falls
 * idle. Many bytes at once (port_read_start): a single transfer to where they are wanted instead; a byte that comes while
 * the stream is being changed over waits in the data register, for one byte time (86.8 us). */
#include "fault.h"
#include "port.h"
#include "registers.h"
#include "ring.h"
#include "startup.h"
#include "stm32f412.h"

#define BAUD 115200u
#define CIRCLE 64u  /* bytes of the circular transfer: the handler must come within half of it, 2.8 ms */
#define RX 1u       /* stream */
#define TX 3u

static volatile uint8_t s_circle[CIRCLE];
static uint32_t s_taken; /* bytes of it that are in the ring already; position of the next */
static volatile uint32_t s_sent;
static volatile uint32_t s_wanted, s_filled; /* bulk reception; it runs while filled < wanted */

/* What DMA has brought into the circle, up to the last `keep` bytes, into the ring. */
static void drain(uint32_t keep) {
    const uint32_t position = CIRCLE - DMA1_NDTR(RX);
    for (uint32_t n = (position - s_taken) % CIRCLE; n > keep; n--) {
        ring_put(s_circle[s_taken]);
        s_taken = (s_taken + 1u) % CIRCLE;
    }
}

static void receive_into(uint32_t to, uint32_t length, uint32_t mode) {
    DMA1_LIFCR = DMA_STREAM1_FLAGS;
    DMA1_PAR(RX) = (uint32_t)&USART3_DR;
    DMA1_M0AR(RX) = to;
    DMA1_NDTR(RX) = length;
    DMA1_CR(RX) = DMA_CHANNEL(4u) | DMA_MINC | DMA_TCIE | mode;
    DMA1_CR(RX) |= DMA_EN;
}

static void receive_circle(void) {
    s_taken = 0u;
    receive_into((uint32_t)s_circle, CIRCLE, DMA_CIRC | DMA_HTIE);
}

static void receive_stop(void) {
    DMA1_CR(RX) &= ~DMA_EN;
    while ((DMA1_CR(RX) & DMA_EN) != 0u) { /* a transfer under way is finished first */
    }
}

static void pins(uint32_t function) {
    RCC_AHB1ENR |= RCC_AHB1_GPIO(PORT_D);
    (void)RCC_AHB1ENR;
    GPIO_BSRR(PORT_D) = 1u << PIN_UART_TX; /* the line idles high, also while the USART is off */
    GPIO_AFRH(PORT_D) = (7u << (4u * (PIN_UART_TX - 8u))) | (7u << (4u * (PIN_UART_RX - 8u)));
    GPIO_PUPDR(PORT_D) = GPIO_PULLUP << (2u * PIN_UART_RX); /* no cable: no floating input */
    const uint32_t both = (3u << (2u * PIN_UART_TX)) | (3u << (2u * PIN_UART_RX));
    GPIO_MODER(PORT_D) = (GPIO_MODER(PORT_D) & ~both) | (function << (2u * PIN_UART_TX)) |
                         (GPIO_ALTERNATE << (2u * PIN_UART_RX));
    RCC_AHB1ENR &= ~RCC_AHB1_GPIO(PORT_D);
}

void uart_start(void) {
    RCC_AHB1ENR |= RCC_AHB1_DMA1;
    RCC_APB1ENR |= RCC_APB1_USART3;
    (void)RCC_APB1ENR;
    USART3_BRR = (clock_pclk1() + BAUD / 2u) / BAUD; /* sixteenths of the divider, sixteen samples per bit */
    USART3_CR3 = USART_CR3_DMAR | USART_CR3_DMAT | USART_CR3_EIE;
    s_wanted = s_filled = 0u;
    receive_circle();
    USART3_CR1 = USART_CR1_UE | USART_CR1_TE | USART_CR1_RE | USART_CR1_IDLEIE;
    pins(GPIO_ALTERNATE);
    nvic_enable(IRQ_DMA1_STREAM1);
    nvic_enable(IRQ_USART3);
}

void uart_stop(void) {
    nvic_disable(IRQ_DMA1_STREAM1);
    nvic_disable(IRQ_USART3);
    pins(GPIO_OUTPUT);
    receive_stop();
    drain(0u);
    USART3_CR1 = 0u;
    NVIC_ICPR(IRQ_DMA1_STREAM1 / 32u) = 1u << (IRQ_DMA1_STREAM1 % 32u);
    NVIC_ICPR(IRQ_USART3 / 32u) = 1u << (IRQ_USART3 % 32u);
    RCC_APB1ENR &= ~RCC_APB1_USART3;
    RCC_AHB1ENR &= ~RCC_AHB1_DMA1;
}

void uart_dma_irq(void) {
    const uint32_t flags = DMA1_LISR & DMA_STREAM1_FLAGS;
    DMA1_LIFCR = flags; /* these only: one that comes now brings the interrupt again */
    if (s_filled == s_wanted) {
        drain(0u);
    } else if ((flags & DMA_STREAM1_TC) != 0u) { /* all that was wanted is there; the stream has stopped itself */
        s_filled = s_wanted;
        receive_circle();
    }
    (void)DMA1_LISR; /* the write has reached the peripheral before the handler returns */
}

void uart_irq(void) {
    const uint32_t status = USART3_SR;
    if ((status & (USART_SR_IDLE | USART_SR_ORE | USART_SR_NF | USART_SR_FE)) != 0u) {
        /* Reading SR and then DR clears them. DMA has fetched the byte long ago, and the next is a byte time away. */
        (void)USART3_DR;
        if ((status & (USART_SR_ORE | USART_SR_NF | USART_SR_FE)) == 0u) {
            if (s_filled == s_wanted) {
                drain(0u);
            }
        } else if (s_filled == s_wanted) { /* the last byte is the garbled one: it is behind the mark */
            drain(1u);
            ring_lose();
            drain(0u);
        } else {
            ring_lose();
        }
    }
    if ((status & USART_SR_TC) != 0u && (USART3_CR1 & USART_CR1_TCIE) != 0u) {
        USART3_CR1 &= ~USART_CR1_TCIE;
        s_sent = 1u;
    }
}

void port_read_start(uint8_t *to, size_t length) {
    const uint32_t primask = irq_mask();
    receive_stop();
    drain(0u);
    const uint32_t filled = ring_take(to, length);
    s_filled = filled;
    s_wanted = length;
    if (filled < length) {
        receive_into((uint32_t)to + filled, length - filled, 0u);
    } else {
        receive_circle();
    }
    irq_restore(primask);
}

/* Given up after idle_ms to twice that: whether a byte came is looked at only then. */
size_t port_read_finish(uint32_t idle_ms) {
    const uint32_t idle = idle_ms * LAN_TICK_HZ / 1000u;
    uint64_t limit = port_now() + idle;
    const uint32_t primask = irq_mask(); /* the last byte between a look and the sleep then wakes the core all the same */
    uint32_t missing = DMA1_NDTR(RX);
    while (s_filled < s_wanted) {
        if (port_now() >= limit) {
            if (DMA1_NDTR(RX) == missing) {
                break;
            }
            missing = DMA1_NDTR(RX);
            limit = port_now() + idle;
        }
        rtc_sleep(limit);
        irq_restore(primask); /* handlers run here */
        (void)irq_mask();
    }
    if (s_filled < s_wanted) {
        receive_stop();
        s_filled = s_wanted - DMA1_NDTR(RX);
        s_wanted = s_filled;
        receive_circle();
    }
    irq_restore(primask);
    return s_filled;
}

void port_write(const char *data, size_t length) {
    if (length == 0u) {
        return;
    }
    s_sent = 0u;
    USART3_SR = ~USART_SR_TC; /* flags are cleared by zeros, ones leave them alone */
    DMA1_LIFCR = DMA_STREAM3_FLAGS;
    DMA1_PAR(TX) = (uint32_t)&USART3_DR;
    DMA1_M0AR(TX) = (uint32_t)data;
    DMA1_NDTR(TX) = length;
    DMA1_CR(TX) = DMA_CHANNEL(4u) | DMA_MINC | DMA_FROM_MEMORY;
    DMA1_CR(TX) |= DMA_EN;
    const uint32_t primask = irq_mask();
    USART3_CR1 |= USART_CR1_TCIE;
    while (s_sent == 0u) {
        sleep_masked();
        irq_restore(primask); /* handlers run here */
        (void)irq_mask();
    }
    irq_restore(primask);
}

/* Polls so long at most for one byte: 87 us. */
#define FAULT_POLLS 20000u

static void fault_wait(uint32_t flag) {
    for (uint32_t n = FAULT_POLLS; n != 0u && (USART3_SR & flag) == 0u; n--) {
    }
}

void port_fault_write(const char *text, size_t length) {
    RCC_APB1ENR |= RCC_APB1_USART3;
    (void)RCC_APB1ENR;
    USART3_CR3 = 0u; /* a transfer may be under way: its stream gets no more requests */
    USART3_BRR = (clock_pclk1() + BAUD / 2u) / BAUD;
    USART3_CR1 = USART_CR1_UE | USART_CR1_TE;
    pins(GPIO_ALTERNATE);
    for (size_t i = 0; i < length; i++) {
        fault_wait(USART_SR_TXE);
        USART3_DR = (uint8_t)text[i];
    }
    fault_wait(USART_SR_TC);
}
