// What a reply of SMTP or LMTP says: its code, its enhanced code (RFC 3463), a pause that it names, and its words. Pure.

export interface Reply {
  readonly code: number
  /** Without the class: `7.1` of `5.7.1`; '': none, or one that says no more than the code itself (X.0.0, X.3.0, X.4.0). */
  readonly enhanced: string
  /** What follows, in lower case, on one line. */
  readonly words: string
  /** The pause it names; 0: none. */
  readonly pauseMs: number
}

/** `text` as the server sent it: begins with three digits, several lines allowed. */
export function readReply(code: number, text: string): Reply {
  const line = text.slice(0, 2_000).replace(/\s+/g, ' ')
  const found =
    /^\d{3}[ -]([245])\.(\d{1,3})\.(\d{1,3})\b/.exec(line) ?? /\(#([245])\.(\d{1,3})\.(\d{1,3})\)\s*$/.exec(line)
  const enhanced = found === null ? '' : `${Number(found[2])}.${Number(found[3])}`
  const saysMore = enhanced !== '' && !['0.0', '3.0', '4.0'].includes(enhanced)
  const words = line.replace(/^\d{3}[ -]?/, '').toLowerCase()
  return { code, enhanced: saysMore ? enhanced : '', words, pauseMs: pauseNamed(words) }
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** "try again in 5 minutes", "retry after 300 seconds", "greylisted for 00:04:59", "suggested backoff time: 3600". */
export function pauseNamed(words: string): number {
  const clock = /\b(?:in|for|after|wait)\s+(\d{1,2}):(\d{2}):(\d{2})\b/.exec(words)
  if (clock !== null) return (Number(clock[1]) * 3600 + Number(clock[2]) * 60 + Number(clock[3])) * 1_000
  const backoff = /\bbackoff time:?\s*(\d{1,7})\b/.exec(words)
  if (backoff !== null) return Number(backoff[1]) * 1_000
  const named =
    /\b(?:try|retry|again|wait|come back|greylisted|blocked|deferred|for|after)\b[^.;]{0,30}?\b(\d{1,7})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)\b/.exec(
      words,
    )
  if (named === null) return 0
  return Number(named[1]) * (UNITS[named[2]?.[0] ?? 's'] ?? 1_000)
}

/** The pause that an IMAP server names: Exchange counts its "Suggested Backoff Time: 92415 milliseconds" so, whether it says it
 *  or not. */
export function pauseIn(words: string): number {
  const backoff = /\bbackoff time[:=\s]+(\d{1,10})\b(\s*s(?:ec|$|\b))?/.exec(words)
  if (backoff === null) return pauseNamed(words)
  return Number(backoff[1]) * (backoff[2] === undefined ? 1 : 1_000)
}

/** The key by which two replies are equal: code and enhanced code. Without one the words, but for addresses and what has digits:
 *  numbers, names of queues, times. */
export function sameReply({ code, enhanced, words }: Reply): string {
  if (enhanced !== '') return `${code} ${enhanced}`
  return `${code} ${plainWords(words)}`
}

/** Without addresses and what has digits: numbers, names of queues, times. */
export function plainWords(words: string): string {
  return words
    .replace(/<[^>]*>|\S+@\S+/g, '')
    .replace(/\S*\d\S*/g, '')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 200)
}
