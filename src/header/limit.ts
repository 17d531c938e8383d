/** So much of a header is looked at. Servers that cut one in TOP do so from 64 KiB on (P127); no field that matters stands beyond
 *  that. */
export const HEADER_LIMIT_BYTES = 64 * 1024
