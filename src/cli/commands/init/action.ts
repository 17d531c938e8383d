// `popfetch init`: sets up an account, or one more, by question and answer. Only at the end something is written. Where an answer
// comes from is decided in terminal/answers.ts. server.ts finds the server, mailbox.ts asks who signs in, place.ts and inbox.ts where
// mail goes, try-sign-in.ts tries both. new-account.ts makes a configuration of the answers, and file.ts puts it where it belongs.
import { showsWhatItHas } from '../../../config/destinations/destinations.ts'
import type { Account } from '../../../config/schema.ts'
import type { StatePlace } from '../../../config/state/place.ts'
import { display } from '../../../display.ts'
import { PopfetchError } from '../../../errors.ts'
import type { Lookups } from '../../../setup/discover.ts'
import { Answers } from '../../terminal/answers.ts'
import { CANCELLED, terminalDialogue, type Dialogue } from '../../terminal/dialogue.ts'
import { abortedByPerson, LeftByPerson } from '../../command-errors.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import { addDestination } from './add-destination.ts'
import { type Attempt, type Delivered, deliveredTo, signedIn } from './attempts.ts'
import { nextTarget, type Target, targetOf, type Whole, wholeFile, writeWhole } from './file.ts'
import { shownInbox } from './inbox.ts'
import { type Choices, type Drafted, drafted, initText, type Mailbox } from './new-account.ts'
import { homely, printSchedule, sayNext, type Written } from './next.ts'
import type { InitInvocation } from './options.ts'
import { hasTypedSecret } from './place.ts'
import * as question from './questions.ts'
import { freeSecretFile } from './secrets.ts'
import { lookupsOf, serverOf } from './server.ts'
import type { Surroundings } from '../../surroundings.ts'

export async function run(invocation: InitInvocation, surroundings: Surroundings): Promise<number> {
  if (invocation.cron || invocation.systemd) return await printSchedule(invocation, surroundings)
  try {
    return await setUp(invocation, surroundings, { dialogue: terminalDialogue(surroundings), lookups: null })
  } catch (error) {
    // Ctrl-C between two questions, while servers are looked for or tried.
    throw surroundings.signal.aborted ? new LeftByPerson(CANCELLED) : error
  }
}

/** The person who answers, and what the network says; null: nobody, and the network itself. */
export interface InitMeans {
  readonly dialogue: Dialogue | null
  readonly lookups: Lookups | null
}

/** Resolves to 0 when the file is written; when it rejects, nothing is. */
export async function setUp(invocation: InitInvocation, surroundings: Surroundings, means: InitMeans): Promise<number> {
  const { output, signal } = surroundings
  const target = await targetOf(invocation, surroundings)
  const answers = new Answers(means.dialogue, output, { usual: invocation.yes })
  const lookups = means.lookups ?? (await lookupsOf(surroundings))
  signal.throwIfAborted()
  if (answers.person && target.present !== null) {
    const names = target.present.configuration.accounts.map(({ name }) => name).join(', ')
    output.say(`${display(target.file, 4096)} has the accounts ${display(names, 400)}. They stay as they are.`)
    const what = await answers.to(question.addition, null)
    if (what === 'destination') return await addDestination(target, { answers, invocation, surroundings })
  }
  const address = await answers.to(question.address, invocation.address)
  const suggested = await serverOf(address, invocation, { answers, surroundings, lookups })
  const attempt: Attempt = { address, target, answers, invocation, surroundings, lookups }
  const { mailbox, waiting } = await signedIn(suggested, attempt)
  const { deliver, client, known } = await deliveredTo(mailbox, attempt)
  const { choices, account, configuration } = await chosen({ mailbox, deliver, client, known }, attempt)
  const shows = account.deliver.every((name) => showsWhatItHas(name, configuration.destinations))
  const first =
    invocation.first === null && waiting?.messages === 0
      ? null
      : await answers.to(question.first(waiting?.messages ?? null, shows), invocation.first)
  const done = await writtenSomewhere({ mailbox, choices, known, first }, attempt)
  if (invocation.json) output.object({ ok: true, file: done.file, account: done.account })
  else if (!invocation.quiet) {
    const byEnvironment = mailbox.secret.kind === 'env' ? mailbox.secret.name : null
    const named = done.file === target.file ? invocation : { ...invocation, output: done.file }
    sayNext({ ...done, first, byEnvironment }, named, surroundings)
  }
  return EXIT_OK
}

/** The questions look at one answer each; the schema also finds answers that cannot be combined. */
async function chosen(
  { mailbox, deliver, client, known }: Delivered & { readonly mailbox: Mailbox },
  attempt: Attempt,
): Promise<{ readonly choices: Choices } & Drafted> {
  const { answers, invocation, surroundings } = attempt
  for (let given: string | null = invocation.deletePolicy; ; given = null) {
    const choices = { deliver, client, deletion: await answers.to(question.deletion, given) }
    try {
      return { choices, ...draftOf(mailbox, choices, known, attempt) }
    } catch (error) {
      if (!(error instanceof PopfetchError) || !answers.person) throw error
      surroundings.output.problem(error.message)
    }
  }
}

type Done = Omit<Written, 'first' | 'byEnvironment'>

interface Answered {
  readonly mailbox: Mailbox
  readonly choices: Choices
  readonly known: string | null
  /** What the first poll takes; null: it was not asked. */
  readonly first: string | null
}

/** Shows the file and writes it. What was answered is kept when that fails: then once more, or elsewhere. */
async function writtenSomewhere(answered: Answered, first: Attempt): Promise<Done> {
  const { answers, surroundings } = first
  for (let attempt = first; ;) {
    try {
      return await written(answered, attempt)
    } catch (error) {
      if (!(error instanceof PopfetchError) || error.code === 'ERR_ABORTED' || !answers.person) throw error
      surroundings.output.problem(error.message)
      attempt = { ...attempt, target: await nextTarget(error, attempt, (target) => faultOf(target, answered)) }
    }
  }
}

/** What is in the way of writing there. */
function faultOf({ file, present }: Target, { mailbox, known }: Answered): string | null {
  if (known === null || present?.configuration.destinations.has(known) === true) return null
  return `there is no destination ${display(known)} in ${display(file, 4096)}, where ${display(mailbox.name)} is to deliver`
}

async function written({ mailbox, choices, known, first }: Answered, attempt: Attempt): Promise<Done> {
  const { target, answers, invocation, surroundings } = attempt
  const { output, signal } = surroundings
  const { account, configuration } = draftOf(mailbox, choices, known, attempt)
  const kept = await keptApart(mailbox, choices, account, attempt)
  const whole = wholeOf(kept.mailbox, kept.choices, known, attempt)
  if (!invocation.json && (answers.person || !invocation.quiet)) {
    const client = shownClient(kept.choices)
    const shown = { ...kept.choices, deliver: shownInbox(kept.choices.deliver), client }
    const masked = { ...kept.mailbox, secret: shownSecret(kept.mailbox), client: shownClient(kept.mailbox) }
    output.answer(wholeOf(masked, shown, known, attempt).added.trimEnd())
  }
  const isWanted = invocation.yes || (await answers.to(question.write(homely(target.file, surroundings.env)), null))
  if (!isWanted) throw abortedByPerson('nothing was written')
  signal.throwIfAborted()
  if (first !== null) await remember(first, account, configuration, surroundings)
  const before = await writeWhole(target, whole.text, kept.secrets)
  return { file: target.file, account: account.name, secrets: [...kept.secrets.keys()], before }
}

function wholeOf(mailbox: Mailbox, choices: Choices, known: string | null, attempt: Attempt): Whole {
  const { target, invocation, surroundings } = attempt
  return wholeFile(initText(mailbox, choices, invocation, surroundings), target, known)
}

function draftOf(mailbox: Mailbox, choices: Choices, known: string | null, attempt: Attempt): Drafted {
  const whole = wholeOf(mailbox, choices, known, attempt)
  return drafted(whole.text, whole.account, attempt.target.file, attempt.surroundings)
}

/** What was typed goes into files of its own: the configuration names them. */
async function keptApart(mailbox: Mailbox, choices: Choices, account: Account, { target, surroundings }: Attempt) {
  const secrets = new Map<string, string>()
  const { env } = surroundings
  const named = (file: string): string => {
    const home = env['HOME']
    return home !== undefined && home !== '' && file.startsWith(`${home}/`) ? `~${file.slice(home.length)}` : file
  }
  let { secret } = mailbox
  if (secret.kind === 'text') {
    const file = await freeSecretFile(target.file, account.name)
    secrets.set(file, secret.text)
    secret = { kind: 'file', path: named(file) }
  }
  let { deliver } = choices
  if (hasTypedSecret(deliver)) {
    const file = await freeSecretFile(target.file, `${account.name}-to-${account.deliver[0] ?? ''}`)
    secrets.set(file, String(deliver['password']))
    deliver = { ...deliver, password: { file: named(file) } }
  }
  return { mailbox: { ...mailbox, secret }, choices: { ...choices, deliver }, secrets }
}

/** Before there is a configuration with which popfetch could poll. */
async function remember(
  first: string,
  account: Account,
  place: StatePlace,
  { rooms, env }: Surroundings,
): Promise<void> {
  const { openLedger } = await rooms.ledger()
  const { rememberFirst } = await import('../../../poll/plan/first.ts')
  await using ledger = await openLedger(place, { env })
  await rememberFirst(ledger, account, first)
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
