// `popfetch init`: sets up the first account by question and answer. Only at the end one file is written. Where an answer
// comes from is decided in terminal/answers.ts; new-account.ts makes a configuration of the answers.
import { signInsOf } from '../../../config/oauth/sign-ins.ts'
import type { Account } from '../../../config/schema.ts'
import { display } from '../../../display.ts'
import { PopfetchError } from '../../../errors.ts'
import type { Lookups } from '../../../setup/discover.ts'
import { Answers } from '../../terminal/answers.ts'
import { terminalDialogue, type Dialogue } from '../../terminal/dialogue.ts'
import { abortedByPerson } from '../../command-errors.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import { drafted, type Drafted, initText, type Mailbox } from './new-account.ts'
import { mailboxOf, serverOf, type Suggested } from './mailbox.ts'
import * as question from './questions.ts'
import { type Inbox, inboxOf, shownInbox, signsIn } from './inbox.ts'
import { tryDestination, trySignIn, type Waiting } from './try-sign-in.ts'
import type { InitInvocation } from './options.ts'
import { newFilePath, writeNewFile } from '../../open/new-file.ts'
import { counted, size } from '../../../status/words/amounts.ts'
import type { Surroundings } from '../../surroundings.ts'

export async function run(invocation: InitInvocation, surroundings: Surroundings): Promise<number> {
  return await setUp(invocation, surroundings, { dialogue: terminalDialogue(surroundings), lookups: null })
}

/** The person who answers, and what the network says; null: nobody, and the network itself. */
export interface InitMeans {
  readonly dialogue: Dialogue | null
  readonly lookups: Lookups | null
}

/** Resolves to 0 when the file is written; when it rejects, there is no file. */
export async function setUp(invocation: InitInvocation, surroundings: Surroundings, means: InitMeans): Promise<number> {
  const { output } = surroundings
  const file = await newFilePath(invocation, surroundings)
  const answers = new Answers(means.dialogue, output, { usual: invocation.yes })
  const address = await answers.to(question.address, invocation.address)
  const suggested = await serverOf(address, invocation, { answers, surroundings, lookups: means.lookups })
  const { mailbox, waiting } = await signedIn(suggested, { address, file, answers, invocation, surroundings })
  const { deliver, client } = await deliveredTo(mailbox, { address, file, answers, invocation, surroundings })
  const deletion = await answers.to(question.deletion, invocation.deletePolicy)
  const first =
    invocation.first === null && waiting?.messages === 0
      ? null
      : await answers.to(question.first(waiting?.messages ?? null), invocation.first)
  const choices = { deliver, client, deletion }
  const text = initText(mailbox, choices, invocation, surroundings)
  // The questions look at one answer each; the schema also finds answers that contradict each other.
  const { account, configuration } = drafted(text, file, surroundings)
  if (!invocation.json && (answers.person || !invocation.quiet)) {
    output.answer(
      initText(
        { ...mailbox, secret: shownSecret(mailbox), client: shownClient(mailbox) },
        { ...choices, deliver: shownInbox(deliver), client: shownClient(choices) },
        invocation,
        surroundings,
      ).trimEnd(),
    )
  }
  if (!invocation.yes && !(await answers.to(question.write(file), null))) throw abortedByPerson('nothing was written')
  if (first !== null) await remember(first, account, configuration.statePath, surroundings)
  await writeNewFile(file, text)
  if (invocation.json) output.object({ ok: true, file, account: account.name })
  else if (!invocation.quiet)
    output.say(
      `${first === null ? '' : `remembered: the first poll takes ${first}; `}Wrote ${display(file, 4096)}. Run "popfetch" to fetch, or "popfetch --dry-run" to preview.`,
    )
  return EXIT_OK
}

/** Before there is a configuration with which popfetch could poll. */
async function remember(first: string, account: Account, statePath: string, { rooms }: Surroundings): Promise<void> {
  const { openLedger } = await rooms.ledger()
  const { rememberFirst } = await import('../../../poll/plan/first.ts')
  await using ledger = await openLedger(statePath)
  await rememberFirst(ledger, account, first)
}

interface Attempt {
  readonly address: string
  readonly file: string
  readonly answers: Answers
  readonly invocation: InitInvocation
  readonly surroundings: Surroundings
}

/** Asks until the server accepts the answers, or the person decides to write them untested. */
async function signedIn(
  first: Suggested,
  attempt: Attempt,
): Promise<{ readonly mailbox: Mailbox; readonly waiting: Waiting | null }> {
  const { address, file, answers, invocation, surroundings } = attempt
  let suggested = first
  for (let given: InitInvocation = invocation; ;) {
    const mailbox = await mailboxOf(address, suggested, { given, answers })
    const draft = drafted(initText(mailbox, null, invocation, surroundings), file, surroundings)
    if (invocation.untested) return { mailbox, waiting: null }
    try {
      await signInFirst(mailbox, draft, attempt)
      if (!invocation.quiet) surroundings.output.note(`signing in to ${display(mailbox.host)}`)
      const waiting = await trySignIn(draft, surroundings)
      const size_ = waiting.bytes === 0 ? '' : ` (${size(waiting.bytes)})`
      surroundings.output.note(`signed in: ${counted(waiting.messages, 'message')} waiting${size_}`)
      return { mailbox, waiting }
    } catch (error) {
      if (!(error instanceof PopfetchError) || error.code === 'ERR_ABORTED' || !answers.person) throw error
      surroundings.output.problem(error.message)
      const next = await answers.to(question.afterFailure, null)
      if (next === 'write') return { mailbox, waiting: null }
      if (next === 'stop') throw error
      suggested = {
        ...suggested,
        host: mailbox.host,
        trusted: true,
        port: mailbox.port,
        tls: mailbox.tls,
        user: mailbox.user,
      }
      const again = { host: null, port: null, tls: null, user: null, password: null, tokenCommand: null }
      given = { ...invocation, ...again, clientId: null, clientSecretFile: null }
    }
  }
}

/** Asks where mail goes until a server there takes the sign-in, or the person decides to write it untested. */
async function deliveredTo(mailbox: Mailbox, attempt: Attempt): Promise<Inbox> {
  const { file, answers, invocation, surroundings } = attempt
  for (let given: InitInvocation = invocation; ;) {
    const where = await answers.to(question.deliver, given.deliver)
    const inbox = await inboxOf(where, { given, answers, known: mailbox.client })
    const { deliver, client } = inbox
    if (invocation.untested || !signsIn(deliver)) return inbox
    const draft = drafted(
      initText(mailbox, { deliver, client, deletion: 'never' }, invocation, surroundings),
      file,
      surroundings,
    )
    try {
      const name = draft.account.deliver[0] ?? ''
      const user = typeof deliver['user'] === 'string' ? deliver['user'] : ''
      await signInFirst({ client, name, user }, draft, attempt)
      if (!invocation.quiet) surroundings.output.note('signing in where mail goes')
      await tryDestination(draft, surroundings)
      surroundings.output.note('it takes mail')
      return inbox
    } catch (error) {
      if (!(error instanceof PopfetchError) || error.code === 'ERR_ABORTED' || !answers.person) throw error
      surroundings.output.problem(error.message)
      const next = await answers.to(question.afterFailure, null)
      if (next === 'write') return inbox
      if (next === 'stop') throw error
      const again = { deliver: null, way: null, toHost: null, toPassword: null, toClientId: null }
      given = { ...invocation, ...again, toClientSecretFile: null }
    }
  }
}

/** Where it signs in by OAuth: the person does that now, unless it was done before. */
async function signInFirst(
  { client, name, user }: Pick<Mailbox, 'client' | 'name' | 'user'>,
  { configuration }: Drafted,
  { invocation, surroundings }: Attempt,
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

/** The client for the screen, its secret masked. */
function shownClient({ client }: Pick<Mailbox, 'client'>): Mailbox['client'] {
  const isWrittenOut = typeof client?.keys['clientSecret'] === 'string'
  return client !== null && isWrittenOut ? { ...client, keys: { ...client.keys, clientSecret: '********' } } : client
}

/** The mailbox's secret for the screen: a password is masked, the place of one is shown. */
function shownSecret({ secret }: Mailbox): Mailbox['secret'] {
  return secret.kind === 'text' ? { kind: 'text', text: '********' } : secret
}
