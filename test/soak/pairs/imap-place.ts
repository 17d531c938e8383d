// An IMAP folder of the soak, with habits of bad days. It shows what it has, so no message may ever be there twice, whatever is lost
// or cut.
import { ImapServer, type Asked, type ImapReply } from '../../support/imap-server.ts'
import { isWhole, subjectOf } from './letters.ts'
import type { Place } from './places.ts'
import type { Time } from './time.ts'

type Habit = (asked: Asked, place: ImapPlace) => ImapReply

const atAppend =
  (reply: ImapReply, every = 1): Habit =>
  ({ command }, place) =>
    command === 'APPEND' && ++place.appends % every === 0 ? reply : null

export const IMAP_HABITS: Readonly<Record<string, Habit>> = {
  well: () => null,
  'folder not now': ({ command }) => (command === 'STATUS' ? 'NO [UNAVAILABLE] try later' : null),
  'message not now': atAppend('NO [INUSE] try later'),
  full: atAppend('NO [OVERQUOTA] no room'),
  throttled: atAppend('BAD Request is throttled. Suggested Backoff Time: 7200000 milliseconds'),
  'going down': atAppend('* BYE going down', 2),
  'answers to messages lost': atAppend('lost', 2),
  'messages cut': atAppend('drop', 3),
  'all answers lost': atAppend('lost'),
  'looks cut': ({ command }, place) =>
    command === 'APPEND' && ++place.appends % 2 === 0 ? 'lost' : command === 'EXAMINE' ? 'drop' : null,
  'nobody signed in': ({ command }) => (command === 'AUTHENTICATE' ? 'NO [AUTHENTICATIONFAILED] no' : null),
  'ends at the greeting': ({ command }) => (command === 'GREETING' ? 'drop' : null),
}

const MANY = 'LITERAL+ MULTIAPPEND UIDPLUS NAMESPACE AUTH=PLAIN SASL-IR'

export class ImapPlace implements Place {
  readonly kind = 'imap'
  readonly habits = ['well', ...Object.keys(IMAP_HABITS)]
  readonly sink = null
  readonly name: string
  readonly configuration: object
  appends = 0
  readonly #server: ImapServer
  #habit: Habit = () => null

  private constructor(name: string, server: ImapServer, time: Time) {
    this.name = name
    this.#server = server
    this.configuration = { type: 'imap', host: '127.0.0.1', port: server.port, user: 'me', password: 'secret' }
    server.answer = (asked) => {
      time.heard()
      return this.#habit(asked, this)
    }
  }

  static async start(name: string, time: Time, isRich: boolean): Promise<ImapPlace> {
    const server = await ImapServer.start({ capabilities: isRich ? MANY : 'NAMESPACE AUTH=PLAIN SASL-IR' })
    return new ImapPlace(name, server, time)
  }

  begin(_poll: number, habit: string | null): Promise<void> {
    this.#habit = (habit === null ? null : IMAP_HABITS[habit]) ?? (() => null)
    return Promise.resolve()
  }

  taken(): Promise<readonly number[]> {
    return Promise.resolve(
      this.#server.inbox.messages.map(({ bytes }) => {
        const subject = subjectOf(bytes)
        return isWhole(bytes, subject) ? subject : -1
      }),
    )
  }

  extra(): number {
    return 0
  }

  close(): Promise<void> {
    return this.#server[Symbol.asyncDispose]()
  }
}
