// One sign-in as it is kept: what is in its file, and how it is read back. Pure. Only store.ts and sign-ins.ts see the secrets in it.

/** Why a sign-in is over. `grant`: until somebody signs in. `client`: until the client is another, too. */
export interface Ended {
  readonly why: 'grant' | 'client'
  readonly message: string
  /** Of the client as it was refused. */
  readonly clientMark: number
}

export interface SignInRecord {
  readonly client: string
  readonly user: string
  /** Of the provider and client that it belongs to. */
  readonly identity: string
  /** Random, and new for each sign-in of a person. */
  readonly id: string
  readonly sinceMs: number
  /** Null: client credentials, which need none. */
  readonly refreshToken: string | null
  readonly accessToken: string | null
  /** When the access token was asked for, and until when it serves. */
  readonly obtainedMs: number
  readonly expiresMs: number
  /** What was asked for. */
  readonly scopes: readonly string[]
  /** Who signed in, as the provider tells. */
  readonly person: string | null
  /** When the sign-in ends; null: not announced. */
  readonly endsMs: number | null
  /** Each renewal puts that end off: it comes only where nobody polls any more. */
  readonly slides: boolean
  /** A renewal was begun then, and its answer is not here; null: none was. */
  readonly renewingMs: number | null
  readonly ended: Ended | null
  /** The ends that a person was told of. */
  readonly told: readonly number[]
}

const VERSION = 1
const TEXTS = ['client', 'user', 'identity', 'id'] as const
const NUMBERS = ['sinceMs', 'obtainedMs', 'expiresMs'] as const

export function recordText(record: SignInRecord): string {
  return `${JSON.stringify({ version: VERSION, ...record }, null, 1)}\n`
}

/** Null for what is no record of ours. */
export function parseRecord(text: string): SignInRecord | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const keys = value as Partial<Record<keyof SignInRecord | 'version', unknown>>
  if (keys.version !== VERSION) return null
  if (TEXTS.some((key) => typeof keys[key] !== 'string') || NUMBERS.some((key) => !Number.isFinite(keys[key])))
    return null
  const ended = endedOf(keys.ended)
  if (ended === undefined) return null
  return {
    client: String(keys.client),
    user: String(keys.user),
    identity: String(keys.identity),
    id: String(keys.id),
    sinceMs: Number(keys.sinceMs),
    refreshToken: textOrNull(keys.refreshToken),
    accessToken: textOrNull(keys.accessToken),
    obtainedMs: Number(keys.obtainedMs),
    expiresMs: Number(keys.expiresMs),
    scopes: Array.isArray(keys.scopes) ? keys.scopes.filter((scope) => typeof scope === 'string') : [],
    person: textOrNull(keys.person),
    endsMs: numberOrNull(keys.endsMs),
    slides: keys.slides === true,
    renewingMs: numberOrNull(keys.renewingMs),
    ended,
    told: Array.isArray(keys.told) ? keys.told.filter((end) => typeof end === 'number') : [],
  }
}

/** Did a newer popfetch write it? */
export function isNewer(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    const version: unknown = typeof value === 'object' && value !== null && 'version' in value ? value.version : null
    return typeof version === 'number' && version > VERSION
  } catch {
    return false
  }
}

/** Is `draft` what the provider answered to the renewal that was begun in `kept`? */
export function isAnswerTo(kept: SignInRecord, draft: SignInRecord): boolean {
  const isSame = TEXTS.every((key) => kept[key] === draft[key])
  return isSame && kept.renewingMs !== null && draft.renewingMs === null && draft.ended === null
}

/** Undefined for what is wrong. */
function endedOf(value: unknown): Ended | null | undefined {
  if (value === null) return null
  if (typeof value !== 'object' || value === undefined) return undefined
  const { why, message, clientMark } = value as Partial<Record<keyof Ended, unknown>>
  if ((why !== 'grant' && why !== 'client') || typeof message !== 'string' || typeof clientMark !== 'number')
    return undefined
  return { why, message, clientMark }
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

function numberOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}
