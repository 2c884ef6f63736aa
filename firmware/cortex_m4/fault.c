/* Fault handlers: note what happened, say it once by polling, and stay there, so that a debugger finds the core in
 * the handler (IPSR tells which). */
#include "fault.h"

#include "port.h"
#include "scs.h"

extern const uint32_t __text_start[], __text_end[], __stack_bottom[], __stack_top[];

lan_fault_t lan_fault __attribute__((section(".noinit")));
static char s_text[256] __attribute__((section(".noinit")));

/* The handler gets a stack of its own: after an overflow the main stack has no room, and one more push would lock
 * the core up. */
__attribute__((naked)) void fault_entry(void) {
    __asm volatile("mrs r0, msp\n"
                   "ldr r1, =__fault_stack_top\n"
                   "mov sp, r1\n"
                   "b fault_report\n");
}

_Noreturn void fault_report(const uint32_t *frame); /* called from fault_entry's assembly only */

static size_t put_text(size_t at, const char *text) {
    while (*text != '\0' && at < sizeof s_text) {
        s_text[at++] = *text++;
    }
    return at;
}

static size_t put_hex(size_t at, const char *name, uint32_t value) {
    at = put_text(at, name);
    for (int shift = 28; shift >= 0 && at < sizeof s_text; shift -= 4) {
        s_text[at++] = "0123456789abcdef"[(value >> shift) & 15u];
    }
    return at;
}

static const char *type_name(uint32_t type) {
    switch (type) {
    case 2u:
        return "nmi";
    case 3u:
        return "hardfault";
    case 4u:
        return "memmanage";
    case 5u:
        return "busfault";
    case 6u:
        return "usagefault";
    default:
        return "interrupt";
    }
}

static size_t describe(void) {
    size_t at = put_text(0, "fault ");
    at = put_text(at, type_name(lan_fault.type));
    at = put_hex(at, " pc=0x", lan_fault.pc);
    at = put_hex(at, " lr=0x", lan_fault.lr);
    at = put_hex(at, " sp=0x", lan_fault.sp);
    at = put_hex(at, " cfsr=0x", lan_fault.cfsr);
    at = put_hex(at, " hfsr=0x", lan_fault.hfsr);
    at = put_hex(at, " mmfar=0x", lan_fault.mmfar);
    at = put_hex(at, " bfar=0x", lan_fault.bfar);
    for (uint32_t i = 0; i < LAN_FAULT_TRACE; i++) {
        at = put_hex(at, i == 0u ? " trace=0x" : ",0x", lan_fault.trace[i]);
    }
    return at;
}

static uint32_t checksum(void) {
    const uint32_t *word = (const uint32_t *)&lan_fault;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < offsetof(lan_fault_t, check) / 4u; i++) {
        sum += word[i];
    }
    return sum;
}

__attribute__((used)) _Noreturn void fault_report(const uint32_t *frame) {
    const uint32_t cfsr = SCS_CFSR;
    const uint32_t *bottom = __stack_bottom, *top = __stack_top;
    uint32_t ipsr;
    __asm volatile("mrs %0, ipsr" : "=r"(ipsr));
    lan_fault.magic = LAN_FAULT_MAGIC;
    lan_fault.type = ipsr;
    lan_fault.cfsr = cfsr;
    lan_fault.hfsr = SCS_HFSR;
    lan_fault.mmfar = (cfsr & CFSR_MMARVALID) != 0u ? SCS_MMFAR : 0u;
    lan_fault.bfar = (cfsr & CFSR_BFARVALID) != 0u ? SCS_BFAR : 0u;
    lan_fault.sp = (uint32_t)frame;
    lan_fault.pc = lan_fault.lr = lan_fault.xpsr = 0u;
    const uint32_t *scan = bottom;
    if ((cfsr & (CFSR_MSTKERR | CFSR_STKERR)) == 0u && frame >= bottom && frame + 8 <= top) {
        lan_fault.lr = frame[5];
        lan_fault.pc = frame[6];
        lan_fault.xpsr = frame[7];
        scan = frame + 8;
    } else if (frame > bottom && frame < top) {
        scan = frame;
    }
    /* Words that look like return addresses (odd, in .text) tell where the program came from. Some may be leftovers. */
    uint32_t found = 0;
    for (; scan < top && found < LAN_FAULT_TRACE; scan++) {
        const uint32_t word = *scan;
        if ((word & 1u) != 0u && word > (uint32_t)__text_start && word < (uint32_t)__text_end) {
            lan_fault.trace[found++] = word - 1u;
        }
    }
    while (found < LAN_FAULT_TRACE) {
        lan_fault.trace[found++] = 0u;
    }
    lan_fault.check = checksum();

    size_t length = describe();
    for (size_t i = length; i > 0u; i--) { /* room for "\r\ne-[" in front: a line may have been cut short */
        s_text[i + 4u] = s_text[i - 1u];
    }
    (void)put_text(0, "\r\ne-[");
    length = put_text(length + 5u, "]\r\n");
    port_fault_write(s_text, length);
    for (;;) {
    }
}

size_t port_last_fault(char *text, size_t size) {
    if (lan_fault.magic != LAN_FAULT_MAGIC || lan_fault.check != checksum()) {
        return 0;
    }
    const size_t length = describe();
    for (size_t i = 0; i < length && i < size; i++) {
        text[i] = s_text[i];
    }
    return length < size ? length : size;
}

_Noreturn void port_fault_hard(void) {
    __asm volatile("udf #0");
    for (;;) {
    }
}
