// A second run of `init` that adds a destination alone: an alias that accounts can name in `deliver`.
import { assemble } from '../../../config/assemble.ts'
import { kindWritten } from '../../../config/destinations/destinations.ts'
import { parseText } from '../../../config/document.ts'
import { resolvePath } from '../../../config/paths.ts'
import { mismatchText, pathText } from '../../../config/problem.ts'
import type { Written } from '../../../config/values/written.ts'
import { display } from '../../../display.ts'
import { PopfetchError } from '../../../errors.ts'
import path from 'node:path'
import { statePlace } from '../../../config/state/place.ts'
import { abortedByPerson, usageError } from '../../command-errors.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import type { Surroundings } from '../../surroundings.ts'
import type { Answers } from '../../terminal/answers.ts'
import { goesOnUntested, trustedSo } from './attempts.ts'
import { nextTarget, type Target, withDestination, writeWhole } from './file.ts'
import { placeOf, shownInbox } from './inbox.ts'
import { withTypedPaths } from './new-account.ts'
import { homely } from './next.ts'
import type { InitInvocation } from './options.ts'
import { askPlace, hasTypedSecret } from './place.ts'
import * as question from './questions.ts'
import { freeSecretFile } from './secrets.ts'
import { tryDestination } from './try-sign-in.ts'

interface Means {
  readonly answers: Answers
  readonly invocation: InitInvocation
  readonly surroundings: Surroundings
}

export async function addDestination(first: Target, means: Means): Promise<number> {
  const { name, keys } = await triedPlace(first, means)
  for (let target = first; ;) {
    try {
      return await writtenTo(target, name, keys, means)
    } catch (error) {
      const { answers, surroundings } = means
      if (!(error instanceof PopfetchError) || error.code === 'ERR_ABORTED' || !answers.person) throw error
      surroundings.output.problem(error.message)
      target = await nextTarget(error, { ...means, target }, ({ file, present }) =>
        present === null ? `there is no configuration in ${display(file, 4096)} yet: add an account first` : null,
      )
    }
  }
}

async function writtenTo(
  target: Target,
  name: string,
  keys: Written,
  { answers, surroundings }: Means,
): Promise<number> {
  const { output } = surroundings
  const secrets = new Map<string, string>()
  let kept = keys
  if (hasTypedSecret(keys)) {
    const file = await freeSecretFile(target.file, name)
    secrets.set(file, String(keys['password']))
    kept = { ...keys, password: { file } }
  }
  const whole = withDestination(name, kept, target)
  output.answer(withDestination(name, shownInbox(kept), target).added.trimEnd())
  if (!(await answers.to(question.write(homely(target.file, surroundings.env)), null)))
    throw abortedByPerson('nothing was written')
  const before = await writeWhole(target, whole.text, secrets)
  output.say(
    `Wrote ${display(target.file, 4096)}${before === null ? '' : `, and kept the previous version as ${display(before, 4096)}`}.`,
  )
  for (const file of secrets.keys()) output.say(`The password is kept in ${display(file, 4096)}, readable only by you.`)
  output.say(`Accounts use it by its name: deliver: ${whole.name}`)
  return EXIT_OK
}

async function triedPlace(target: Target, means: Means): Promise<{ readonly name: string; readonly keys: Written }> {
  const { answers, invocation, surroundings } = means
  const { cwd, env } = surroundings
  const typed = (file: string): string => (file.startsWith('~') ? file : resolvePath(file, cwd, env))
  const byApi = (): Promise<never> => Promise.reject(new TypeError('the Gmail API is not offered here'))
  let last: string | null = null
  for (let before: Written | null = null; ;) {
    question.tellPlaces(answers, 'a path or a URL')
    const usual = typeof before?.['type'] === 'string' ? before['type'] : 'maildir'
    const where = await answers.to(question.deliver([], usual), null)
    if (where.kind !== 'kind' && where.kind !== 'place') {
      answers.tell('expected a number or word from the list, a path or a URL')
      continue
    }
    if (where.kind === 'kind' && where.type === 'gmail') {
      answers.tell('Gmail needs its own sign-in: add an account that delivers there')
      continue
    }
    const same = where.kind === 'place' || before?.['type'] === where.type ? before : null
    const asked = { given: invocation, answers, known: null, byApi, before: same }
    const { deliver } = where.kind === 'place' ? await placeOf(where.written, asked) : await askPlace[where.type](asked)
    let keys = withTypedPaths(deliver, typed)
    const wish: string = last ?? kindWritten(keys)?.usualName ?? String(keys['type'])
    const name = await answers.to(question.line('name', 'Its name', wish, 'a name'), null)
    for (;;) {
      try {
        await tried(name, keys, target, surroundings)
        surroundings.output.note('it accepts mail')
        return { name, keys }
      } catch (error) {
        const tryAs = (pinned: Written): Promise<void> => tried(name, pinned, target, surroundings)
        const trust = await trustedSo(error, keys, tryAs, means)
        if (typeof trust === 'object' && trust !== null) {
          keys = withTypedPaths({ ...keys, ...trust }, typed)
          continue
        }
        if (trust === null && (await goesOnUntested(error, means))) return { name, keys }
        before = keys
        last = name
        break
      }
    }
  }
}

async function tried(name: string, keys: Written, target: Target, surroundings: Surroundings): Promise<void> {
  const { env } = surroundings
  const whole = withDestination(name, keys, target)
  const resolve = (written: string): string => resolvePath(written, path.dirname(target.file), env)
  const { configuration, problems } = assemble(parseText(whole.text).root, resolve)
  const [account] = configuration?.accounts ?? []
  if (configuration === null || account === undefined) {
    const [problem] = problems
    throw usageError(
      `${pathText(problem?.path ?? [])}: ${mismatchText({ found: problem?.found ?? 'nothing', expected: problem?.expected ?? 'a destination' })}`,
    )
  }
  const place = statePlace({ path: configuration.statePath, postgres: configuration.postgres }, env)
  const warnings = await tryDestination(
    [whole.name],
    { account, configuration: { ...configuration, ...place } },
    surroundings,
  )
  for (const warning of warnings) surroundings.output.say(`warning: ${warning}`)
}
