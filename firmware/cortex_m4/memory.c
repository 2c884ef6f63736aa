/* How much RAM and flash there is, and how much of it is used: the linker knows (sections.ld, and the port's script), but
 * for the stack, which start-up has painted. */
#include "port.h"

extern const uint32_t __stack_bottom[], __stack_top[];
/* Sizes in bytes: the symbol's value is its address. */
extern const unsigned char __static_ram_size[], __ram_size[], __flash_used[], __flash_size[];

#define PAINT 0xA5A5A5A5u /* startup.c */

uint32_t port_stack_size(void) { return (uint32_t)__stack_top - (uint32_t)__stack_bottom; }

uint32_t port_stack_used(void) {
    const volatile uint32_t *word = __stack_bottom;
    while (word < __stack_top && *word == PAINT) {
        word++;
    }
    return (uint32_t)__stack_top - (uint32_t)word;
}

int port_memory_used(uint32_t *bytes) {
    *bytes = (uint32_t)__static_ram_size + port_stack_used();
    return 1;
}

int port_memory_available(uint32_t *bytes) {
    uint32_t used;
    (void)port_memory_used(&used);
    *bytes = (uint32_t)__ram_size - used;
    return 1;
}

int port_flash(uint32_t *used, uint32_t *size) {
    *used = (uint32_t)__flash_used;
    *size = (uint32_t)__flash_size;
    return 1;
}
