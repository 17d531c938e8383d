// From columns to values and back. Text is bytes in every table, and base64 in what a change carries. Nothing here knows a table.
import type { EntryKey } from '../../entry.ts'
import { uidlBytes } from '../../stored.ts'
import type { Cell } from '../connection/connection.ts'
import { bug } from '../connection/server.ts'

function misread(wanted: string, cell: unknown): Error {
  return bug(`the database gave ${cell === null ? 'nothing' : typeof cell} where ${wanted} belongs`)
}

export function number(cell: Cell | undefined): number {
  if (typeof cell !== 'number') throw misread('a number', cell)
  return cell
}

export function numberOrNull(cell: Cell | undefined): number | null {
  return cell === null ? null : number(cell)
}

export function bytes(cell: Cell | undefined): Buffer {
  if (!Buffer.isBuffer(cell)) throw misread('a text', cell)
  return cell
}

export function bytesOrNull(cell: Cell | undefined): Buffer | null {
  return cell === null ? null : bytes(cell)
}

export function text(cell: Cell | undefined): string {
  return bytes(cell).toString('utf8')
}

export function textOrNull(cell: Cell | undefined): string | null {
  return cell === null ? null : text(cell)
}

export function isTrue(cell: Cell | undefined): boolean {
  return cell === true
}

/** What the database keeps as text: words of our own. */
export function word(cell: Cell | undefined): string {
  if (typeof cell !== 'string') throw misread('a word', cell)
  return cell
}

export function toBytes(value: string): Buffer {
  return Buffer.from(value, 'utf8')
}

/** For what a change carries. */
export function base64(value: string | Buffer): string {
  return (typeof value === 'string' ? toBytes(value) : value).toString('base64')
}

export function base64OrNull(value: string | Buffer | null | undefined): string | null {
  return value === null || value === undefined ? null : base64(value)
}

/** The fields of an item that name its message. */
export function at({ uidl, copy }: EntryKey): { readonly u: string; readonly c: number } {
  return { u: uidlBytes(uidl).toString('base64'), c: copy }
}

export function keyOf(uidl: Cell | undefined, copy: Cell | undefined): EntryKey {
  return { uidl: bytes(uidl).toString('latin1'), copy: number(copy) }
}
