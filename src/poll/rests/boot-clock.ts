// The time of day together with a clock that nobody sets: by two readings a jump of the first one is noticed (S030).
import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'
import type { ClockReading } from '../../ledger/destination.ts'

let boot: string | null = null

/** Outside Linux nothing tells one start of a machine from another: there the time of day is believed. */
function bootOf(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim().slice(0, 64)
  } catch {
    return ''
  }
}

export function readClock(): ClockReading {
  boot ??= bootOf()
  return { nowMs: Date.now(), upMs: Math.round(uptime() * 1000), boot }
}
