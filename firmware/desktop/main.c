/* The firmware as a process: its console is the standard input and output, its stack a painted one with a guard page.
 *   lan [--markers FILE]     FILE: ring of marker edges, made by whoever reads it (markers.h) */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "desktop.h"
#include "port.h"

#define STACK_BYTES 65536u

desktop_stack desktop_firmware_stack;

static void *firmware(void *nothing) {
    (void)nothing;
    desktop_watch_faults();
    (void)lan_app();
    return NULL;
}

static int fail(const char *what, const char *why) {
    (void)fprintf(stderr, "lan: %s: %s\n", what, why);
    return 2;
}

static int reserve_stack(void) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *room = mmap(NULL, STACK_BYTES + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED || mprotect(room, page, PROT_NONE) != 0) {
        return 0;
    }
    desktop_firmware_stack = (desktop_stack){room + page, STACK_BYTES, page};
    (void)memset(room + page, DESKTOP_STACK_PAINT, STACK_BYTES);
    return 1;
}

int main(int argc, char **argv) {
    pthread_t thread;
    pthread_attr_t attributes;

    if (argc != 1 && !(argc == 3 && strcmp(argv[1], "--markers") == 0)) {
        return fail("arguments", "it takes none, or --markers FILE");
    }
    if (argc == 3) {
        const char *problem = markers_open(argv[2]);
        if (problem != NULL) {
            return fail(argv[2], problem);
        }
    }
    (void)signal(SIGPIPE, SIG_IGN);
    desktop_clock_start();
    if (!reserve_stack() || pthread_attr_init(&attributes) != 0 ||
        pthread_attr_setstack(&attributes, desktop_firmware_stack.bottom, desktop_firmware_stack.size) != 0 ||
        pthread_create(&thread, &attributes, firmware, NULL) != 0) {
        return fail("starting the firmware's thread", "no memory for its stack");
    }
    (void)pthread_join(thread, NULL);
    return 0;
}
