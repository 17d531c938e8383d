// The mechanisms that send an MD5 digest of the password and a text from the server: CRAM-MD5 (RFC 2195) and APOP
// (RFC 1939 §7). Used only when `auth` names them: a false server can find the password from a few such digests (P028,
// chosen timestamps).
import { createHash, createHmac } from 'node:crypto'
import { PopfetchError } from '../../errors.ts'
import { command } from '../wire/command.ts'
import { type CommandMechanism, misplaced, type SaslMechanism, secretIn } from './mechanism.ts'

const advice = () => 'check user and password; a server that keeps passwords in another form needs auth: plain'

export const cramMd5 = {
  kind: 'sasl',
  name: 'cram-md5',
  rank: null,
  secret: 'password',
  withoutTls: 'tests guesses',
  advice,
  begin(credentials) {
    let sent = false
    return {
      initial: null,
      messages: 1,
      complaint: null,
      answer(challenge) {
        // An empty challenge would give the same digest every time.
        if (sent || challenge.length === 0) return misplaced
        sent = true
        const digest = createHmac('md5', secretIn(credentials).normalize('NFC')).update(challenge).digest('hex')
        return Buffer.from(`${credentials.user.normalize('NFC')} ${digest}`)
      },
    }
  },
} as const satisfies SaslMechanism

export const apop = {
  kind: 'commands',
  name: 'apop',
  rank: null,
  secret: 'password',
  // CVE-2007-1558: the server's timestamps can be chosen so that MD5 collisions give the password away.
  withoutTls: 'computes the secret',
  advice,
  commands(credentials, { greeting }) {
    const timestamp = apopTimestamp(greeting)
    if (timestamp === null) {
      throw new PopfetchError(
        'ERR_MECHANISM',
        "the server's greeting has no plain timestamp, which APOP needs: change auth",
        { scope: 'account', retry: 'never' },
      )
    }
    const digest = createHash('md5')
      .update(timestamp, 'latin1')
      .update(secretIn(credentials).normalize('NFC'))
      .digest('hex')
    return [command('APOP', credentials.user.normalize('NFC'), digest)]
  },
} as const satisfies CommandMechanism

/** The one msg-id (RFC 822) of a greeting, with its angle brackets. Null: there is none, or it may have been chosen to find
 *  the password (P028). Takes time in proportion to the length of the greeting, whatever its content. */
export function apopTimestamp(greeting: Buffer): string | null {
  const text = greeting.toString('latin1')
  const start = text.indexOf('<')
  const end = text.indexOf('>')
  if (start < 0 || end < start || text.includes('<', start + 1) || text.includes('>', end + 1)) return null
  const timestamp = text.slice(start, end + 1)
  // The classes leave out `<`, `>` and `@`: there is only one way to match.
  return timestamp.length <= 255 && /^<[!-;=?A-~]+@[!-;=?A-~]+>$/.test(timestamp) ? timestamp : null
}
