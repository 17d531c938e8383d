// How the keys of messages begin that have no UIDL.

/** No server sends a NUL. */
export const NO_UIDL = '\0top:'
