/* `lnn hear ...`: recorded audio in pieces, straight from the host into the network. */
#ifndef LAN_HEAR_H
#define LAN_HEAR_H

#include "console.h"

void lan_hear(const lan_args *args);
/* Something else has used the network or the buffer: what was heard so far counts no more. */
void lan_hear_forget(void);

#endif
