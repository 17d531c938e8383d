// The mechanisms that send the password itself: SASL PLAIN (RFC 4616) and LOGIN, and USER with PASS (RFC 1939 §7).
import { command } from '../wire/command.ts'
import { type CommandMechanism, misplaced, opaqueString, type SaslMechanism, secretIn } from './mechanism.ts'

/** Some servers take no longer argument (RFC 1939 §3; P076, popa3d). */
const ARGUMENT_LIMIT = 40

const advice = () => 'check user and password; some providers require an app password, or POP to be enabled first'

/** Nothing is trimmed or quoted (P074, odd characters). */
export const plain = {
  kind: 'sasl',
  name: 'plain',
  rank: 20,
  secret: 'password',
  withoutTls: 'reads the secret',
  advice,
  begin(credentials) {
    const message = Buffer.from(`\0${credentials.user.normalize('NFC')}\0${opaqueString(secretIn(credentials))}`)
    let sent = false
    return {
      initial: message,
      messages: 1,
      complaint: null,
      answer(challenge) {
        // A server that asks a question runs LOGIN under the name of PLAIN (P069): it must not get the password. An empty
        // challenge means that it ignored the initial response (P065): the message is sent once more.
        if (sent || challenge.length > 0) return misplaced
        sent = true
        return message
      },
    }
  },
} as const satisfies SaslMechanism

/** draft-murchison-sasl-login: first the user name, then the password; the prompts' text does not matter. */
export const login = {
  kind: 'sasl',
  name: 'login',
  rank: 10,
  secret: 'password',
  withoutTls: 'reads the secret',
  advice,
  begin(credentials) {
    const answers = [credentials.user, secretIn(credentials)].map((text) => Buffer.from(text.normalize('NFC')))
    return { initial: null, messages: 2, complaint: null, answer: () => answers.shift() ?? misplaced }
  },
} as const satisfies SaslMechanism

/** Lowest rank, but every server has it unless it says otherwise. */
export const userAndPass = {
  kind: 'commands',
  name: 'user',
  rank: 0,
  secret: 'password',
  withoutTls: 'reads the secret',
  advice({ user }) {
    if (Buffer.byteLength(user.normalize('NFC')) <= ARGUMENT_LIMIT) return advice()
    return `this user name is longer than the ${ARGUMENT_LIMIT} octets that some servers take: try auth: plain`
  },
  // A refusal of USER is the server's verdict on this user: PASS is not sent then (P051, USER refused). Both commands are
  // made before either is sent: a password that cannot be sent (P073, line breaks) leaves no session half signed in.
  commands: (credentials) => [
    command('USER', credentials.user.normalize('NFC')),
    command('PASS', secretIn(credentials).normalize('NFC')),
  ],
} as const satisfies CommandMechanism
