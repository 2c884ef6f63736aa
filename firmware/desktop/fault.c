/* What kills the process is said on the console first, in the words of a chip's fault handler; then it dies of it. */
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <ucontext.h>

#include "desktop.h"
#include "port.h"

static unsigned char s_stack[65536]; /* of the handler: after an overflow there is no other */

static const struct {
    int number;
    const char *name;
} k_signals[] = {
    {SIGSEGV, "sigsegv"}, {SIGBUS, "sigbus"},   {SIGILL, "sigill"},
    {SIGFPE, "sigfpe"},   {SIGTRAP, "sigtrap"}, {SIGABRT, "sigabrt"},
};

static size_t put_text(char *to, size_t at, const char *text) {
    const size_t length = strlen(text);
    (void)memcpy(to + at, text, length);
    return at + length;
}

/* 8 digits where they are enough, which they are in the program itself (it is linked to a fixed address), else 16. */
static size_t put_address(char *to, size_t at, const char *name, uint64_t value) {
    at = put_text(to, at, name);
    for (int shift = value >> 32 == 0u ? 28 : 60; shift >= 0; shift -= 4) {
        to[at++] = "0123456789abcdef"[(value >> shift) & 15u];
    }
    return at;
}

/* Where the program was; 0 on a processor that is not known here. */
static uint64_t program_counter(const void *context) {
#if defined(__x86_64__)
    return (uint64_t)((const ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return ((const ucontext_t *)context)->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

/* Handlers are taken away when they are called (SA_RESETHAND): returning meets the same fault again, and ends there. */
static void report(int number, siginfo_t *info, void *context) {
    const desktop_stack *stack = &desktop_firmware_stack;
    const uintptr_t address = (uintptr_t)info->si_addr;
    const uintptr_t bottom = (uintptr_t)stack->bottom;
    const int has_address = number == SIGSEGV || number == SIGBUS;
    const char *name = "signal";
    char text[128];

    for (size_t i = 0; i < sizeof k_signals / sizeof k_signals[0]; i++) {
        name = k_signals[i].number == number ? k_signals[i].name : name;
    }
    if (has_address && address < bottom && address >= bottom - stack->guard) {
        name = "stack overflow";
    }
    size_t at = put_text(text, 0, "\r\ne-[fault ");
    at = put_text(text, at, name);
    at = put_address(text, at, " pc=0x", program_counter(context));
    if (has_address) {
        at = put_address(text, at, " address=0x", address);
    }
    at = put_text(text, at, "]\r\n");
    if (write(STDOUT_FILENO, text, at) < 0) {
        return; /* nobody hears it; what follows is the same */
    }
}

void desktop_watch_faults(void) {
    const stack_t own = {.ss_sp = s_stack, .ss_size = sizeof s_stack};
    struct sigaction action;

    (void)memset(&action, 0, sizeof action);
    action.sa_sigaction = report;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaltstack(&own, NULL);
    for (size_t i = 0; i < sizeof k_signals / sizeof k_signals[0]; i++) {
        (void)sigaction(k_signals[i].number, &action, NULL);
    }
}

/* The process is gone after a fault, and what it knew with it. */
size_t port_last_fault(char *text, size_t size) {
    (void)text;
    (void)size;
    return 0;
}

_Noreturn void port_fault_hard(void) { __builtin_trap(); }
