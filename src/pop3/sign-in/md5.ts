// Sign-in with MD5 over what the server greets or challenges with: CRAM-MD5 (RFC 2195) and APOP (RFC 1939 §7). Pure.
// Only by name: whoever can answer for the server can find the password from a few of these (P028, CVE-2007-1558).
import { createHash, createHmac } from 'node:crypto'
import { type Credentials, type Mechanism, misplaced, secretOf } from './mechanism.ts'

export function cramMd5(credentials: Credentials): Mechanism {
  let sent = false
  return {
    name: 'CRAM-MD5',
    initial: null,
    messages: 1,
    complaint: null,
    answer(challenge) {
      // An empty challenge would be the same one every time.
      if (sent || challenge.length === 0) return misplaced
      sent = true
      const digest = createHmac('md5', secretOf(credentials).normalize('NFC')).update(challenge).digest('hex')
      return Buffer.from(`${credentials.user.normalize('NFC')} ${digest}`)
    },
  }
}

/** The one msg-id of a greeting (RFC 822), angle brackets included; null: there is none, or what is there could be made up
 *  to find the password (P028). Takes time in proportion to the greeting, whatever is in it. */
export function apopTimestamp(greeting: Buffer): string | null {
  const text = greeting.toString('latin1')
  const start = text.indexOf('<')
  const end = text.indexOf('>')
  if (start < 0 || end < start || text.includes('<', start + 1) || text.includes('>', end + 1)) return null
  const timestamp = text.slice(start, end + 1)
  // Without `<`, `>` and `@` in the classes there is only one way to match.
  return timestamp.length <= 255 && /^<[!-;=?A-~]+@[!-;=?A-~]+>$/.test(timestamp) ? timestamp : null
}

export function apopDigest(timestamp: string, credentials: Credentials): string {
  return createHash('md5').update(timestamp, 'latin1').update(secretOf(credentials).normalize('NFC')).digest('hex')
}
