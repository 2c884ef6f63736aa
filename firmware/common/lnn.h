/* The `lnn ...` commands. */
#ifndef LAN_LNN_H
#define LAN_LNN_H

#include "console.h"

void lan_lnn(const lan_args *args);

#endif
