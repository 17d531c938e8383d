// Ends that are known beforehand: of a sign-in, as the provider announced it, and of a client's secret or certificate. When they are
// told, and that they are told once. Pure, but for reading a certificate.
import { X509Certificate } from 'node:crypto'
import { display, localStamp } from '../display.ts'
import type { Client } from './oauth.ts'
import type { SignInRecord } from './record.ts'

const DAY_MS = 86_400_000
/** An end is told so long ahead; of a client's secret, so long. */
const ENDS_SOON_MS = 2 * DAY_MS
const SECRET_ENDS_SOON_MS = 14 * DAY_MS
/** Ends no further apart are one. Providers tell an end in seconds from now, so that it is never quite the same. */
const SAME_END_MS = 600_000
/** Of ends long past nobody asks. */
const MOST_TOLD = 20

export interface End {
  readonly endMs: number
  readonly line: string
}

/** `endsMs`: as the provider told it now; null: it told nothing. */
export function endOf(before: SignInRecord, endsMs: number | null): Pick<SignInRecord, 'endsMs' | 'slides'> {
  if (endsMs === null) return { endsMs: before.endsMs, slides: before.slides }
  return { endsMs, slides: before.endsMs !== null && endsMs - before.endsMs > SAME_END_MS }
}

export function endsSoon({ endsMs, slides }: SignInRecord, nowMs: number): boolean {
  return endsMs !== null && !slides && endsMs - nowMs <= ENDS_SOON_MS
}

/** The ends that come soon and of which nobody was told. */
export async function untoldEnds(record: SignInRecord, configured: Client, nowMs: number): Promise<readonly End[]> {
  const { client, user, endsMs } = record
  const ends: End[] = []
  if (endsMs !== null && endsSoon(record, nowMs)) {
    const line = `the sign-in of ${display(user)} via ${client} ends on ${localStamp(endsMs)}: popfetch auth`
    ends.push({ endMs: endsMs, line })
  }
  const [what, endMs] =
    configured.certificate === null
      ? ['secret', configured.secretEndsMs]
      : ['certificate', await certificateEndMs(configured)]
  if (endMs !== null && endMs - nowMs <= SECRET_ENDS_SOON_MS) {
    const line = `the client ${what} of ${client} ends on ${localStamp(endMs)}: make a new one at the provider`
    ends.push({ endMs, line })
  }
  return ends.filter((end) => !isTold(record, end.endMs))
}

export function isTold({ told }: SignInRecord, endMs: number): boolean {
  return told.some((end) => Math.abs(end - endMs) <= SAME_END_MS)
}

export function withTold(record: SignInRecord, ends: readonly number[]): SignInRecord {
  return { ...record, told: [...record.told, ...ends].slice(-MOST_TOLD) }
}

/** Null: it cannot be told; whoever uses it is told why. */
async function certificateEndMs({ certificate }: Client): Promise<number | null> {
  try {
    const { validTo } = new X509Certificate((await certificate?.())?.certificate ?? '')
    const ms = Date.parse(validTo)
    return Number.isNaN(ms) ? null : ms
  } catch {
    return null
  }
}
