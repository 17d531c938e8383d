// What all targets have in common.
import type { Random } from './random.ts'

export interface Target {
  readonly name: string
  readonly seeds: readonly Buffer[]
  /** Rejects or throws anything but a PopfetchError: a finding. */
  run(input: Buffer, random: Random): void | Promise<void>
}

export function asBytes(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

export function same(one: string, other: string): void {
  if (one !== other) throw new Error('the outcome depends on how the bytes were cut')
}

export function safe(text: string): void {
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text)) throw new Error(`not safe to print: ${JSON.stringify(text)}`)
}
