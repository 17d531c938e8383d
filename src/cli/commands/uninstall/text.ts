// The answer of `uninstall`: a heading for each kind, then each thing with its command, which is never broken. Pure but for the
// printing.
import { redact } from '../../../redact.ts'
import { userName } from '../../../program.ts'
import type { Surroundings } from '../../surroundings.ts'
import { type Findings, type Found, type Kind, shellWord } from './found.ts'

const HEADINGS: Readonly<Record<Kind, string>> = {
  daemon: 'The daemon',
  unit: 'Units of systemd',
  cron: 'Lines of cron',
  'sign-in': 'Sign-ins at providers (OAuth 2.0)',
  keyring: 'Entries of the keyring',
  ledger: 'The ledger, and what lies beside it',
  log: 'Logs',
  cache: 'Caches',
  secret: 'Files of secrets',
  configuration: 'The configuration',
  completion: 'Completions of shells',
  program: 'The program',
}

export function tell({ found, kept }: Findings, { output, env, uid }: Surroundings): void {
  const user = userName(env) ?? `user ${uid}`
  const isNothing = found.every(({ kind }) => kind === 'program') && kept.length === 0
  output.prose(
    isNothing
      ? `Nothing of popfetch was found for ${user} but the program itself.`
      : `This is what popfetch has here for ${user}. Nothing was removed: run the commands that you want, in this order.`,
  )
  let before: Kind | null = null
  for (const one of found) {
    if (one.kind !== before) output.prose(`\n${HEADINGS[one.kind]}`)
    before = one.kind
    for (const line of linesOf(one)) output.answer(line)
  }
  if (kept.length > 0) output.prose('\nKept: not for popfetch to remove')
  for (const { path, why } of kept) output.answer(`  ${path}: ${why}`)
  output.prose(
    `\nOther users of this machine may have their own: run popfetch uninstall as each. Copies that you made with popfetch state backup or state export lie where you put them.`,
  )
}

/** What it is, where the command does not say it; then the command, or what to do instead. */
function linesOf({ what, command, note }: Found): readonly string[] {
  if (command === null) return [`  ${what}: ${note ?? 'remove it by hand'}`]
  const isSaid = command.includes(shellWord(what))
  const head = [...(isSaid ? [] : [what]), ...(note === null ? [] : [note])].join(': ')
  return [...(head === '' ? [] : [`  # ${head.replaceAll('\n', ' ')}`]), `  ${command}`]
}

export function findingsJson({ found, kept }: Findings): object {
  return { found: found.map((one) => ({ ...one, what: redact(one.what) })), kept }
}
