// The file that `init` writes: a new one, or the one that is there with an account or a destination more. Nothing that is there
// changes, comments and order included; the text before is kept beside it.
import { realpath } from 'node:fs/promises'
import { formatText, parseText } from '../../../config/document.ts'
import { type Additions, takesAdditions, withAdditions } from '../../../config/edit/additions.ts'
import { readText } from '../../../config/load.ts'
import { resolvePath } from '../../../config/paths.ts'
import type { Configuration } from '../../../config/schema.ts'
import { isWritten, type Written } from '../../../config/values/written.ts'
import { display } from '../../../display.ts'
import { PopfetchError } from '../../../errors.ts'
import { ourUid } from '../../../own-file.ts'
import { configurationError, usageError } from '../../command-errors.ts'
import { readConfiguration } from '../../open/configured.ts'
import { newFilePath, placesFor, replaceFile, writeNewFile } from '../../open/new-file.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { Answers } from '../../terminal/answers.ts'
import type { InitInvocation } from './options.ts'
import * as question from './questions.ts'
import { removeSecrets, writeSecrets } from './secrets.ts'

/** A configuration that is there already. */
export interface Present {
  readonly text: string
  readonly root: Written
  readonly configuration: Configuration
}

export interface Target {
  /** Absolute. */
  readonly file: string
  /** Null: it is written again. */
  readonly present: Present | null
}

/** Where to write. Rejects with ERR_CONFIG for a file that is wrong: it is repaired first. */
export async function targetOf(invocation: InitInvocation, surroundings: Surroundings): Promise<Target> {
  const [there] = await placesFor(invocation, surroundings)
  if (there === undefined) return { file: await newFilePath(invocation, surroundings), present: null }
  const configuration = await readConfiguration({ ...invocation, config: there }, surroundings)
  const { text } = await readText(there, ourUid(surroundings.env))
  if (!takesAdditions(text)) {
    throw configurationError(
      `adding to ${display(there, 4096)}: its "accounts" or "destinations" stand for another mapping ("*"), where nothing can be added: run "popfetch init --output new.yaml", and copy the account from there`,
    )
  }
  const { root } = parseText(text)
  return { file: await realpath(there), present: { text, root: isWritten(root) ? root : {}, configuration } }
}

interface Means {
  readonly target: Target
  readonly answers: Answers
  readonly invocation: InitInvocation
  readonly surroundings: Surroundings
}

/** After a failure to write: the place for the next attempt, as it is then. `faultOf`: what is in the way there; null: nothing.
 *  Rejects with `failure` when the person stops. */
export async function nextTarget(
  failure: PopfetchError,
  { target, answers, invocation, surroundings }: Means,
  faultOf: (target: Target) => string | null,
): Promise<Target> {
  for (;;) {
    const next = await answers.to(question.afterFailedWrite, null)
    if (next === 'stop') throw failure
    const output = typeof next === 'object' ? resolvePath(next.file, surroundings.cwd, surroundings.env) : target.file
    try {
      const found = await targetOf({ ...invocation, output }, surroundings)
      const fault = faultOf(found)
      if (fault === null) return found
      surroundings.output.problem(fault)
    } catch (error) {
      if (!(error instanceof PopfetchError)) throw error
      surroundings.output.problem(error.message)
    }
  }
}

const UNADDED = 'the text with it would not mean what it should: write it by hand, see popfetch config reference'

/** The whole file with what is new in it. */
export interface Whole {
  readonly text: string
  /** What is new, alone; for the screen. */
  readonly added: string
  /** The new account's name; '' for a destination alone. */
  readonly account: string
}

/** `fresh`: as a file of its own. `known`: the destination that is there already; null: that of `fresh`. */
export function wholeFile(fresh: string, { file, present }: Target, known: string | null): Whole {
  const root = parseText(fresh).root
  const written = isWritten(root) ? root : {}
  const accounts = part(written, 'accounts')
  const [first = ''] = Object.keys(accounts)
  if (present === null) return { text: fresh, added: fresh, account: first }
  const additions: Record<'accounts' | 'destinations' | 'oauth', Record<string, unknown>> = {
    accounts: {},
    destinations: {},
    oauth: {},
  }
  const renamed = new Map<string, string>()
  for (const key of ['oauth', 'destinations'] as const) {
    const there = part(present.root, key)
    for (const [name, keys] of Object.entries(part(written, key))) {
      if (key === 'destinations' && known !== null) renamed.set(name, known)
      else {
        const same = Object.keys(there).find((one) => JSON.stringify(there[one]) === JSON.stringify(keys))
        const free = same ?? freeName(name, Object.keys(there))
        renamed.set(`${key} ${name}`, free)
        if (key === 'destinations') renamed.set(name, free)
        if (same === undefined) additions[key][free] = withClient(keys, renamed)
      }
    }
  }
  const account = first === '' ? '' : freeName(first, Object.keys(part(present.root, 'accounts')))
  const keys = accounts[first]
  if (isWritten(keys)) {
    const { deliver } = keys
    const name = typeof deliver === 'string' ? deliver : ''
    const own = withClient(keys, renamed)
    additions.accounts[account] = { ...(isWritten(own) ? own : {}), deliver: renamed.get(name) ?? known ?? deliver }
  }
  const text = withAdditions(present.text, additions)
  const added = formatText(
    Object.fromEntries(Object.entries(additions).filter(([, part]) => Object.keys(part).length > 0)),
  )
  if (text === null) throw configurationError(`adding to ${display(file, 4096)}: ${UNADDED}`)
  return { text, added, account }
}

/** The whole file with one destination more. */
export function withDestination(
  name: string,
  keys: Written,
  { file, present }: Target,
): Whole & { readonly name: string } {
  const free = freeName(name, Object.keys(part(present?.root ?? {}, 'destinations')))
  const additions: Additions = { accounts: {}, destinations: { [free]: keys }, oauth: {} }
  const text = present === null ? null : withAdditions(present.text, additions)
  if (text === null) throw configurationError(`adding to ${display(file, 4096)}: ${UNADDED}`)
  return { text, added: formatText({ destinations: { [free]: keys } }), account: '', name: free }
}

function withClient(keys: unknown, renamed: ReadonlyMap<string, string>): unknown {
  if (!isWritten(keys) || !isWritten(keys['token'])) return keys
  const { oauth } = keys['token']
  const name = typeof oauth === 'string' ? renamed.get(`oauth ${oauth}`) : undefined
  return name === undefined ? keys : { ...keys, token: { oauth: name } }
}

function part(root: Written, key: string): Written {
  const value = root[key]
  return isWritten(value) ? value : {}
}

function freeName(wish: string, taken: readonly string[]): string {
  for (let count = 1; ; count++) {
    const name = count === 1 ? wish : `${wish}-${count}`
    if (!taken.includes(name)) return name
  }
}

/** Refuses a mailbox that is there already: two accounts of one mailbox take each other's mail. */
export function refuseTwice({ host, user }: { host: string; user: string }, { present }: Target): void {
  const twin = present?.configuration.accounts.find((one) => one.host === host && one.user === user)
  if (twin !== undefined)
    throw usageError(`${twin.name} fetches from ${user} at ${host} already: give it several destinations instead`)
}

/** Writes the secrets, then the file. Rejects with ERR_CONFIG; then nothing of it is left. Gives where the text before is kept. */
export async function writeWhole(
  { file, present }: Target,
  text: string,
  secrets: ReadonlyMap<string, string>,
): Promise<string | null> {
  await writeSecrets(secrets)
  try {
    if (present === null) {
      await writeNewFile(file, text)
      return null
    }
    if ((await readText(file, ourUid())).text !== present.text)
      throw configurationError(`${display(file, 4096)} has changed in the meantime: nothing was written; try again`)
    return await replaceFile(file, text, 'before')
  } catch (error) {
    await removeSecrets(secrets.keys())
    throw error
  }
}
