// Where a password comes from: typed now, and then kept in a file of its own, or had from somewhere else each time. What is typed is
// written only together with the configuration, so that a broken-off `init` leaves nothing.
import { access, rm } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf } from '../../../errors.ts'
import { display } from '../../../display.ts'
import { redactor } from '../../../redact.ts'
import type { PasswordPlace } from '../../common-options.ts'
import { writeNewFile } from '../../open/new-file.ts'
import type { Answers } from '../../terminal/answers.ts'
import * as question from './questions.ts'

export type Typed =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'place'; readonly place: question.SecretPlace }

interface Asked {
  readonly given: PasswordPlace | null
  /** The one that answers instead. */
  readonly option: string
  readonly answers: Answers
  /** As it was answered before; null: it is the first time. */
  readonly before: Typed | null
}

/** `what`: "Password of alice". */
export async function askedSecret(what: string, { given, option, answers, before }: Asked): Promise<Typed> {
  if (given !== null) return { kind: 'place', place: given }
  const usual = before?.kind === 'place' ? question.placeText(before.place) : 'type'
  // Without a person the error names the option.
  const source = answers.person
    ? await answers.to(question.secretSource(option, display(what, 200), usual), null)
    : null
  if (source !== null) return { kind: 'place', place: source }
  const text = await answers.secret(option, what, before?.kind === 'text' ? before.text : null)
  redactor.add(text)
  return { kind: 'text', text }
}

/** A file for a secret beside the configuration that no other file has the name of. */
export async function freeSecretFile(configuration: string, name: string): Promise<string> {
  for (let count = 1; ; count++) {
    const file = path.join(path.dirname(configuration), `${name}${count === 1 ? '' : `-${count}`}.password`)
    const isThere = await access(file).then(
      () => true,
      (error: unknown) => errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR',
    )
    if (!isThere || count > 100) return file
  }
}

/** Files with a secret each, readable by their owner alone. Rejects with ERR_CONFIG; then none of them is left. */
export async function writeSecrets(files: ReadonlyMap<string, string>): Promise<void> {
  const written: string[] = []
  try {
    for (const [file, text] of files) {
      await writeNewFile(file, `${text}\n`, 'the password')
      written.push(file)
    }
  } catch (error) {
    await removeSecrets(written)
    throw error
  }
}

export async function removeSecrets(files: Iterable<string>): Promise<void> {
  for (const file of files) await rm(file, { force: true })
}
