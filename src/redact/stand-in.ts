// What a ledger keeps in place of a UIDL that it must not keep as it is. One that could pass for a key of the ledger's own
// (pop3/listing/parser.ts), and one in which a secret stands (poll/compare/stand-ins.ts).
import { createHash } from 'node:crypto'

/** Every stand-in begins so, and no UIDL: one with a NUL in front gets a stand-in itself. */
export const STAND_IN = '\0is:'

/** `uidl` as latin1 text, as in Origin. A different one for each UIDL, and the same whatever the password is later. */
export function standInFor(uidl: string): string {
  return STAND_IN + createHash('sha256').update(uidl, 'latin1').digest('hex')
}
