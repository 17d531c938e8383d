// The two things that `init` tries before it writes anything: the sign-in to the mailbox, and the way where its mail goes. After a
// failure the questions come again, with what was answered as the default.
import { signInsOf } from '../../../config/oauth/sign-ins.ts'
import { pinKeys } from '../../../config/values/values.ts'
import type { Written } from '../../../config/values/written.ts'
import { display } from '../../../display.ts'
import { onceText, PopfetchError } from '../../../errors.ts'
import type { Lookups } from '../../../setup/discover.ts'
import type { TlsFacts } from '../../../pop3/network/tls-facts.ts'
import type { Surroundings } from '../../surroundings.ts'
import { counted, size } from '../../../status/words/amounts.ts'
import type { Answers } from '../../terminal/answers.ts'
import { refuseTwice, type Target, wholeFile } from './file.ts'
import { gmailOf, type Inbox, inboxOf, placeOf } from './inbox.ts'
import { mailboxOf } from './mailbox.ts'
import { type Choices, drafted, type Drafted, initText, type Mailbox } from './new-account.ts'
import type { InitInvocation } from './options.ts'
import { askPlace } from './place.ts'
import * as question from './questions.ts'
import { chosenServer, type Suggested } from './server.ts'
import { certificateIn, decide, isUntrusted, NO_PIN } from './trust.ts'
import { tryDestination, trySignIn, type Waiting } from './try-sign-in.ts'

export interface Attempt {
  readonly address: string
  readonly target: Target
  readonly answers: Answers
  readonly invocation: InitInvocation
  readonly surroundings: Surroundings
  readonly lookups: Lookups
}

/** Asks until the server accepts the answers, or the person decides to write them untested. */
export async function signedIn(
  first: Suggested,
  attempt: Attempt,
): Promise<{ readonly mailbox: Mailbox; readonly waiting: Waiting | null }> {
  const { address, answers, invocation, surroundings } = attempt
  let suggested = first
  let before: Mailbox | null = null
  for (let given: InitInvocation = invocation; ;) {
    const server = await chosenServer(suggested, given, attempt)
    const mailbox: Mailbox = await mailboxOf(address, server, suggested, { given, answers, before })
    try {
      const draft = draftOf(mailbox, null, null, attempt)
      if (invocation.untested) return { mailbox, waiting: null }
      refuseTwice(mailbox, attempt.target)
      await signInFirst(mailbox, draft, attempt)
      if (!invocation.quiet) surroundings.output.note(`signing in to ${display(mailbox.host)}`)
      const waiting = await trySignIn(draft, surroundings)
      const bytes = waiting.bytes === 0 ? '' : ` (${size(waiting.bytes)})`
      surroundings.output.note(`signed in: ${counted(waiting.messages, 'message')} on the server${bytes}`)
      return { mailbox, waiting }
    } catch (error) {
      if (await goesOnUntested(error, attempt)) return { mailbox, waiting: null }
      const { host, port, tls, user, ca, pin } = mailbox
      suggested = { ...suggested, host, trusted: true, port, tls, user, trust: { ca, pin } }
      before = mailbox
      const again = { host: null, port: null, tls: null, user: null, password: null, tokenCommand: null }
      given = { ...invocation, ...again, clientId: null, clientSecretFile: null }
    }
  }
}

export interface Delivered extends Inbox {
  /** A destination that is configured already, in place of `deliver`. */
  readonly known: string | null
}

/** Asks where mail goes until a trial there succeeds, or the person decides to write it untested. */
export async function deliveredTo(mailbox: Mailbox, attempt: Attempt): Promise<Delivered> {
  const { target, answers, invocation } = attempt
  const known = [...(target.present?.configuration.destinations ?? [])].flatMap(([name, { type }]) =>
    type === 'first-of' || name.includes(':') ? [] : [name],
  )
  let before: { readonly typed: string | null; readonly deliver: Written | null } = { typed: null, deliver: null }
  for (let given: InitInvocation = invocation; ;) {
    if (answers.person && given.deliver === null) offer(known, answers)
    const where = await answers.to(question.deliver(known, before.typed), given.deliver)
    const delivered = await destinationFor(where, before.deliver, given, mailbox, attempt)
    if (invocation.untested) return delivered
    const trust = await triedAt(delivered, mailbox, attempt)
    if (trust === 'good') return delivered
    const typed = where.kind === 'kind' ? where.type : where.kind === 'known' ? where.name : kindOf(delivered.deliver)
    before = { typed, deliver: typeof trust === 'object' ? { ...delivered.deliver, ...trust } : delivered.deliver }
    // What was decided of the certificate is all that was missing.
    if (typeof trust === 'object') {
      const trusted = { ...delivered, deliver: { ...delivered.deliver, ...trust } }
      if ((await triedAt(trusted, mailbox, attempt)) === 'good') return trusted
    }
    const again = { deliver: null, way: null, toHost: null, toPassword: null, toClientId: null }
    given = { ...invocation, ...again, toClientSecretFile: null }
  }
}

function kindOf({ type }: Written): string | null {
  return typeof type === 'string' ? type : null
}

function offer(known: readonly string[], answers: Answers): void {
  question.tellPlaces(answers)
  if (known.length > 0) answers.tell(`or one that already exists: ${display(known.join(', '), 400)}`)
}

async function destinationFor(
  where: question.Where,
  before: Written | null,
  given: InitInvocation,
  mailbox: Mailbox,
  { answers }: Attempt,
): Promise<Delivered> {
  const means = { given, answers, known: mailbox.client, before }
  switch (where.kind) {
    case 'known':
      return { deliver: { type: 'maildir', path: '~/Mail' }, client: null, known: where.name }
    case 'inbox':
      return { ...(await inboxOf(where.address, means)), known: null }
    case 'place':
      return { ...(await placeOf(where.written, means)), known: null }
    case 'kind': {
      const same = before?.['type'] === where.type ? before : null
      const byApi = (address: string): Promise<Inbox> => gmailOf(address, means)
      return { ...(await askPlace[where.type]({ ...means, byApi, before: same })), known: null }
    }
  }
}

/** What to do next: it is good (or is written untested), the questions come again, or its certificate is trusted so. */
async function triedAt(
  { deliver, client, known }: Delivered,
  mailbox: Mailbox,
  attempt: Attempt,
): Promise<'good' | 'again' | Written> {
  const { invocation, surroundings } = attempt
  const { output } = surroundings
  const choices = { deliver, client, deletion: 'never' }
  try {
    const draft = draftOf(mailbox, choices, known, attempt)
    const [name = ''] = draft.account.deliver
    const user = typeof deliver['user'] === 'string' ? deliver['user'] : ''
    await signInFirst({ client, name, user }, draft, attempt)
    if (!invocation.quiet) output.note('trying where mail goes')
    for (const warning of await tryDestination(draft.account.deliver, draft, surroundings))
      output.say(`warning: ${warning}`)
    output.note('it accepts mail')
    return 'good'
  } catch (error) {
    const pinned = async (withPin: Written): Promise<void> => {
      const draft = draftOf(mailbox, { ...choices, deliver: withPin }, null, attempt)
      await tryDestination(draft.account.deliver, draft, surroundings)
    }
    const trust = known === null ? await trustedSo(error, deliver, pinned, attempt) : null
    return trust ?? ((await goesOnUntested(error, attempt)) ? 'good' : 'again')
  }
}

/** Was it a certificate, and what is decided of it: its keys, or the questions come again. Null: it was none. `tryAs`: a trial with
 *  these keys, which shows the certificate. */
export async function trustedSo(
  error: unknown,
  deliver: Written,
  tryAs: (pinned: Written) => Promise<void>,
  { answers, surroundings }: Pick<Attempt, 'answers' | 'surroundings'>,
): Promise<Written | 'again' | null> {
  if (!answers.person || !isUntrusted(error) || deliver['pin'] !== undefined || deliver['ca'] !== undefined) return null
  let facts: TlsFacts | null = null
  try {
    await tryAs({ ...deliver, pin: NO_PIN })
  } catch (met) {
    facts = certificateIn(met)
  }
  if (facts === null) return null
  const host = typeof deliver['host'] === 'string' ? deliver['host'] : ''
  const why = error instanceof PopfetchError ? error.message : ''
  const trust = await decide({ facts, why, host }, answers, surroundings)
  if (trust === 'another') return 'again'
  return trust.ca === null ? { pin: pinKeys(trust.pin) } : { ca: trust.ca }
}

/** Says what failed, and asks what now. Throws it where nobody can be asked, or the person stops. */
export async function goesOnUntested(
  error: unknown,
  { answers, surroundings }: Pick<Attempt, 'answers' | 'surroundings'>,
): Promise<boolean> {
  if (!(error instanceof PopfetchError) || error.code === 'ERR_ABORTED' || !answers.person) throw error
  surroundings.output.problem(onceText(error.message))
  // Answers that are no configuration cannot be written either.
  const next = await answers.to(error.code === 'ERR_USAGE' ? question.afterWrongAnswer : question.afterFailure, null)
  if (next === 'stop') throw error
  return next === 'write'
}

function draftOf(mailbox: Mailbox, choices: Choices | null, known: string | null, attempt: Attempt): Drafted {
  const { target, invocation, surroundings } = attempt
  const whole = wholeFile(initText(mailbox, choices, invocation, surroundings), target, known)
  return drafted(whole.text, whole.account, target.file, surroundings)
}

/** Where it signs in with OAuth: the person does that now, unless it was done before. */
async function signInFirst(
  { client, name, user }: Pick<Mailbox, 'client' | 'name' | 'user'>,
  { configuration }: Drafted,
  { invocation, surroundings }: Pick<Attempt, 'invocation' | 'surroundings'>,
): Promise<void> {
  if (client === null) return
  const signIns = signInsOf(configuration, surroundings.env)
  const { state } = await signIns.state(client.name, user)
  if (state === 'ok') return
  const { signInAtProvider, terminalAsk, USUAL_SIGN_IN_MS } = await import('../../open/provider-sign-in.ts')
  const wanted = { client: client.name, user, serves: [name], signIns, flow: null, opens: true }
  const limits = { timeoutMs: USUAL_SIGN_IN_MS, quiet: invocation.quiet }
  await signInAtProvider({ ...wanted, ...limits }, surroundings, terminalAsk(surroundings))
}
