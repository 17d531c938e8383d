// What is remembered of a secret: enough to notice that it was changed.
import { createHash } from 'node:crypto'

/** 16 bits: enough to notice a changed secret, too few to guess it from (DESIGN 3). */
export function secretMark(salt: string, secret: string): number {
  return createHash('sha256').update(`${salt}\0${secret}`).digest().readUInt16BE(0)
}
