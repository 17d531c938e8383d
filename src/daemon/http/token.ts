// The token of `daemon.httpToken`: who shows it, in a field or by the cookie that the form gave for it, may look. The cookie is
// derived from the token, so that somebody who reads it cannot change anything, and a new token ends it.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** This many wrong tokens in a minute are looked at, over all who ask: nobody finds a token by trying. */
const WRONG_TRIES = 20
const WITHIN_MS = 60_000
const COOKIE_DAYS = 30

export class Token {
  readonly #token: Buffer
  readonly #cookie: string
  readonly #name: string
  readonly #nowMs: () => number
  #wrong: readonly number[] = []

  constructor(token: string, nowMs: () => number = () => performance.now()) {
    this.#token = digest(token)
    this.#nowMs = nowMs
    const sealed = createHmac('sha256', token).update('cookie of the popfetch page').digest('base64url')
    // Cookies know no port: two popfetches on one machine have two names.
    this.#name = `popfetch-${createHash('sha256').update(sealed).digest('hex').slice(0, 8)}`
    this.#cookie = sealed
  }

  /** `busy`: there were too many wrong ones of late, and this one was not looked at. */
  judge(given: string): 'right' | 'wrong' | 'busy' {
    const nowMs = this.#nowMs()
    this.#wrong = this.#wrong.filter((atMs) => nowMs - atMs < WITHIN_MS)
    if (this.#wrong.length >= WRONG_TRIES) return 'busy'
    if (timingSafeEqual(digest(given), this.#token)) return 'right'
    this.#wrong = [...this.#wrong, nowMs]
    return 'wrong'
  }

  /** The field that gives a browser the cookie: for scripts invisible, for requests from other sites not sent. */
  get setCookie(): string {
    return `${this.#name}=${this.#cookie}; Path=/; Max-Age=${COOKIE_DAYS * 86_400}; HttpOnly; SameSite=Strict`
  }

  /** Does this Cookie field have it? */
  isIn(field: string | undefined): boolean {
    const found = (field ?? '')
      .split(';')
      .map((part) => part.trim())
      .find((part) => part.startsWith(`${this.#name}=`))
    return found !== undefined && timingSafeEqual(digest(found.slice(this.#name.length + 1)), digest(this.#cookie))
  }
}

/** What is behind `Bearer`; null: nothing does. */
export function bearerOf(field: string | undefined): string | null {
  return /^Bearer +(\S+) *$/i.exec(field ?? '')?.[1] ?? null
}

/** Of one length, whatever was given. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
