// Pauses as they come with a lease: one text, made by claim_1 (schema/lease-functions.ts).
import type { Pause } from '../../pause.ts'
import type { Cell } from '../connection/connection.ts'
import { word } from './cells.ts'

/** Hexadecimal digits may stand for whatever a person typed. */
const ONE = /^(account|destination) ((?:[0-9a-f]{2})*) ((?:[0-9a-f]{2})*) (-?\d+) (-?\d*)$/

export function pausesIn(cell: Cell | undefined): readonly Pause[] {
  const all = cell === null || cell === undefined ? '' : word(cell)
  return all === '' ? [] : all.split(',').map(pauseIn)
}

function pauseIn(text: string): Pause {
  const [, kind, name = '', by = '', since = '', until = ''] = ONE.exec(text) ?? []
  if (kind !== 'account' && kind !== 'destination') throw new Error('the database gave what is no pause')
  const plain = (hex: string): string => Buffer.from(hex, 'hex').toString('utf8')
  return {
    kind,
    name: plain(name),
    by: plain(by),
    sinceMs: Number(since),
    untilMs: until === '' ? null : Number(until),
  }
}
