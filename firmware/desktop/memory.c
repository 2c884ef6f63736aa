/* Memory of the process: the stack by its paint, all of it by the kernel's count. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "desktop.h"
#include "port.h"

uint32_t port_stack_size(void) { return (uint32_t)desktop_firmware_stack.size; }

/* What the C library keeps of the thread at the top counts as used. */
uint32_t port_stack_used(void) {
    const desktop_stack *stack = &desktop_firmware_stack;
    size_t untouched = 0;
    while (untouched < stack->size && ((volatile unsigned char *)stack->bottom)[untouched] == DESKTOP_STACK_PAINT) {
        untouched++;
    }
    return (uint32_t)(stack->size - untouched);
}

/* The high-water mark of the resident set (proc(5), VmHWM, in units of 1024 bytes). getrusage() would also count what the
 * process was before exec(). */
int port_memory_used(uint32_t *bytes) {
    static const char k_name[] = "\nVmHWM:";
    static char text[4096]; /* the stack is measured, too */
    const int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    const ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1u);
    if (fd >= 0) {
        (void)close(fd);
    }
    text[length < 0 ? 0 : length] = '\0';
    const char *const found = strstr(text, k_name);
    const unsigned long kib = found == NULL ? 0u : strtoul(found + sizeof k_name - 1u, NULL, 10);
    if (kib == 0u || kib > UINT32_MAX / 1024u) {
        return 0;
    }
    *bytes = (uint32_t)kib * 1024u;
    return 1;
}

/* What a process may still take is not its own: others want it, too. And nothing of it lies in flash. */
int port_memory_available(uint32_t *bytes) {
    (void)bytes;
    return 0;
}

int port_flash(uint32_t *used, uint32_t *size) {
    (void)used;
    (void)size;
    return 0;
}
