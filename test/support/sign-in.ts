// The AUTHORIZATION state of the fake POP3 server: USER and PASS, APOP, AUTH and its exchange (RFC 1939 section 4, RFC 5034).
// Gives answers and, once, the mailbox; sends nothing itself.
import { createHash } from 'node:crypto'
import type { Faults } from './faults.ts'
import type { Mailbox } from './mailbox.ts'
import { decodeResponse, type Claim, type Mechanism } from './sasl-server.ts'

export interface SignInPremises {
  readonly faults: Faults
  readonly mailboxes: ReadonlyMap<string, Mailbox>
  readonly mechanisms: ReadonlyMap<string, Mechanism>
  readonly now: () => number
}

export interface SignInAnswer {
  readonly line: string
  /** Of who is signed in now. */
  readonly mailbox?: Mailbox
}

export class SignIn {
  /** Who tries; '' when nobody has yet. */
  user = ''
  readonly #premises: SignInPremises
  /** "accepted PLAIN", "refused PASS". */
  readonly #record: (outcome: string) => void
  #exchange: { readonly name: string; readonly steps: ReturnType<Mechanism> } | null = null

  constructor(premises: SignInPremises, record: (outcome: string) => void) {
    this.#premises = premises
    this.#record = record
  }

  /** Is the next line a response, no command? */
  get inExchange(): boolean {
    return this.#exchange !== null
  }

  /** Forgets what was begun. */
  restart(): void {
    this.user = ''
    this.#exchange = null
  }

  abandonExchange(): void {
    this.#exchange = null
  }

  /** What to say to a command; null: no command of this state. A response has the verb `+`. */
  answer(verb: string, args: string): SignInAnswer | null {
    if (verb === '+') return this.#respond(args)
    if (verb === 'AUTH') return this.#begin(args)
    if (verb === 'USER') {
      this.user = Buffer.from(args, 'latin1').toString('utf8')
      return { line: '+OK send PASS' }
    }
    if (verb === 'PASS' && this.user !== '') {
      const sent = Buffer.from(args, 'latin1').toString('utf8')
      return this.#judge('PASS', { user: this.user, proves: (password) => password === sent })
    }
    if (verb === 'APOP') {
      const [, timestamp = ''] = /(<[^>]*>)/.exec(String(this.#premises.faults.greeting)) ?? []
      const [user = '', digest] = args.split(' ')
      const proves = (password: string) =>
        createHash('md5')
          .update(timestamp + password)
          .digest('hex') === digest
      return this.#judge('APOP', { user, proves })
    }
    return null
  }

  #begin(args: string): SignInAnswer {
    const [name = '', initial] = args.split(' ')
    const mechanism = this.#premises.mechanisms.get(name.toUpperCase())
    if (!mechanism) return { line: '-ERR no such mechanism' }
    if (initial !== undefined && this.#premises.faults.refuseInitialResponse)
      return { line: '-ERR no initial response' }
    const steps = mechanism((user) => this.#premises.mailboxes.get(user)?.password)
    const first = steps.next()
    this.#exchange = { name: name.toUpperCase(), steps }
    if (initial !== undefined) return this.#respond(initial)
    return this.#challenge(first.done ? '' : first.value)
  }

  #challenge(text: string): SignInAnswer {
    return { line: `${this.#premises.faults.continuation}${Buffer.from(text).toString('base64')}` }
  }

  #respond(line: string): SignInAnswer {
    const { steps, name = '' } = this.#exchange ?? {}
    const response = decodeResponse(line)
    const next = response === null ? undefined : steps?.next(response)
    if (next && !next.done) return this.#challenge(next.value)
    this.#exchange = null
    return this.#judge(name, next?.value || null)
  }

  #judge(name: string, claim: Claim | null): SignInAnswer {
    const { faults, mailboxes, now } = this.#premises
    const mailbox = mailboxes.get(claim?.user ?? '')
    this.user = claim?.user ?? ''
    if (!claim || !mailbox || !claim.proves(mailbox.password)) {
      this.#record(`refused ${name}`)
      return { line: '-ERR [AUTH] wrong user name or password' }
    }
    if (faults.exclusive && mailbox.sessions > 0) return { line: '-ERR [IN-USE] mailbox is locked by another session' }
    if (faults.loginDelayMs !== null && now() - (mailbox.lastQuitMs ?? -Infinity) < faults.loginDelayMs) {
      return { line: '-ERR [LOGIN-DELAY] too soon' }
    }
    this.#record(`accepted ${name}`)
    return { line: '+OK signed in', mailbox }
  }
}
