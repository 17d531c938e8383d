// Every kind of file that decides something, or is written, opened as popfetch opens it. Run by itself it reads a list of cases
// from standard input and prints the outcome of each, so that a test can ask as another user.
import { text } from 'node:stream/consumers'
import { readOldFiles } from '../../src/cli/commands/import/old-files.ts'
import { exitCodeOfError } from '../../src/status/exit.ts'
import { loadConfiguration } from '../../src/config/load.ts'
import { pem, resolveSecret } from '../../src/config/values/secret.ts'
import { PopfetchError } from '../../src/errors.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { openLog } from '../../src/log.ts'

export interface Case {
  readonly kind: Kind
  readonly file: string
}

/** `code`: of popfetch, by this file alone; 0: it was taken. */
export interface Outcome {
  readonly code: number
  readonly message: string
}

const place = { env: { HOME: '/nonexistent' }, cwd: '/' }

export const READERS = {
  configuration: (file: string) =>
    loadConfiguration({ file, state: '/nonexistent/state.db', ...place, uid: process.getuid?.() ?? -1 }),
  secret: (file: string) =>
    resolveSecret(
      { kind: 'file', path: file },
      { env: {}, signal: new AbortController().signal, what: 'the password of old-isp' },
    ),
  certificate: (file: string) => pem(file),
  'old file': (file: string) =>
    readOldFiles(
      { tool: 'mpop', files: [file], output: null, record: null, password: null, takeOver: false, mode: 'new' },
      place,
    ),
  ledger: async (file: string) => (await openLedger(file))[Symbol.asyncDispose](),
  'ledger to be read': async (file: string) => (await openLedger(file, { readOnly: true }))[Symbol.asyncDispose](),
  log: async (file: string) => (await openLog(file, 'info'))[Symbol.asyncDispose](),
} as const

export type Kind = keyof typeof READERS

export const KINDS = Object.keys(READERS) as readonly Kind[]

export async function outcomeOf({ kind, file }: Case): Promise<Outcome> {
  try {
    await READERS[kind](file)
    return { code: 0, message: '' }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { code: error instanceof PopfetchError ? exitCodeOfError(error) : -1, message }
  }
}

if (import.meta.main) {
  const cases = JSON.parse(await text(process.stdin)) as readonly Case[]
  const outcomes: Outcome[] = []
  for (const one of cases) outcomes.push(await outcomeOf(one))
  process.stdout.write(JSON.stringify(outcomes))
}
