// The keys of a destination that a file may name, of whatever kind. What a kind is besides its keys is kind.ts.
import * as z from 'zod'
import * as value from '../../values/values.ts'
import type { Frozen } from '../../values/written.ts'
import { command } from './command.ts'
import { gmail } from './gmail.ts'
import { imap } from './imap.ts'
import { lmtp } from './lmtp.ts'
import { maildir } from './maildir.ts'
import { mbox } from './mbox.ts'
import { smtp } from './smtp.ts'

/** In the order in which error texts and the JSON Schema name them. */
const SCHEMAS = { maildir, smtp, lmtp, imap, gmail, command, mbox }

/** As parsed: all keys, and no name yet. */
export type FileKeys = Frozen<z.output<ReturnType<(typeof SCHEMAS)[keyof typeof SCHEMAS]>>>

/** One schema for all kinds; `type` tells them apart. */
export const destination = value.once((resolve) => {
  const { maildir: one, ...others } = SCHEMAS
  const schemas = Object.values(others).map((schema) => schema(resolve))
  return z.discriminatedUnion('type', [one(resolve), ...schemas], { error: 'a mapping with a type' })
})
