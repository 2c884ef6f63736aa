/* What is kept of a fault, in RAM that start-up leaves alone. */
#ifndef LAN_FAULT_H
#define LAN_FAULT_H

#include <stddef.h>
#include <stdint.h>

#define LAN_FAULT_MAGIC 0x544c4146u /* "FALT" */
#define LAN_FAULT_TRACE 4u

/* Symbol lan_fault. pc and lr are 0 when the exception frame could not be stacked (stack overflow): then trace holds
 * the return addresses found on the stack, innermost first. check is the sum of all words before it. */
typedef struct {
    uint32_t magic, type; /* type: exception number, 3 HardFault, 4 MemManage, 5 BusFault, 6 UsageFault, 2 NMI */
    uint32_t pc, lr, sp, xpsr;
    uint32_t cfsr, hfsr, mmfar, bfar;
    uint32_t trace[LAN_FAULT_TRACE];
    uint32_t check;
} lan_fault_t;

extern lan_fault_t lan_fault;

/* All of NMI, HardFault, MemManage, BusFault, UsageFault and unexpected interrupts end here. */
void fault_entry(void);

/* Port: send text without interrupts, whatever state the console is in; bounded time. `text` is in RAM. */
void port_fault_write(const char *text, size_t length);

#endif
