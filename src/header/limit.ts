// How much of a header is looked at. Apart from what looks at it, which a poll without new mail does not load.

/** Servers that cut a header in TOP do so from 64 KiB on (P127); no field that matters stands beyond that. */
export const HEADER_LIMIT_BYTES = 64 * 1024
