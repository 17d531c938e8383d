// The language of the control socket. One line of JSON from the client, then lines of JSON from the daemon, of
// which the last is the answer. Also the path of the socket. Nothing is opened here.
import { createHash } from 'node:crypto'
import { realpath, stat } from 'node:fs/promises'
import path from 'node:path'
import { IN_ENVIRONMENT, textInEnvironment, type Environment } from '../../config/paths.ts'
import { PopfetchError } from '../../errors.ts'
import type { ReportedError } from '../../poll/report.ts'
import type { AccountReport } from '../../poll/report.ts'
import type { LateHost } from '../../status/late.ts'
import type { Planned } from '../../status/status.ts'

export interface Requests {
  readonly status: { readonly verb: 'status' }
  /** `yes`: what it changes of `delete` is meant. */
  readonly reload: { readonly verb: 'reload'; readonly yes: boolean }
  readonly stop: { readonly verb: 'stop' }
  /** `accounts`: none named means all. `wait`: the answer comes when they were polled, not at once. `mark`: poll only if this is
   *  the mark of the configuration in effect; null: whichever it is. */
  readonly wake: {
    readonly verb: 'wake'
    readonly accounts: readonly string[]
    readonly eager: boolean
    readonly wait: boolean
    readonly mark: string | null
  }
}

export type Verb = keyof Requests
export type Request = Requests[Verb]

export interface StatusAnswer {
  readonly pid: number
  readonly sinceMs: number
  readonly version: string
  /** The configuration file. */
  readonly file: string
  readonly accounts: readonly Planned[]
  /** Absent: it has an older version, which does not say so. */
  readonly late?: readonly LateHost[]
}

export interface Answers {
  readonly status: StatusAnswer
  /** `reports`: null when nobody waits for them, or when another configuration is in effect and so nothing was done. */
  readonly wake: { readonly accounts: readonly string[]; readonly reports: readonly AccountReport[] | null }
  readonly reload: { readonly changes: readonly string[] }
  readonly stop: { readonly pid: number }
}

/** `working`: the answer is still to come. Sent every ten seconds, so that silence means trouble. */
export type Line =
  | { readonly kind: 'working' }
  | { readonly kind: 'answer'; readonly answer: Answers[keyof Answers] }
  | { readonly kind: 'refusal'; readonly error: ReportedError }

export const WORKING_MS = 10_000
/** Silent for that long, the process hangs. */
export const SILENCE_MS = 60_000
/** Ten thousand names of accounts fit. */
export const REQUEST_LIMIT_BYTES = 2 * 1024 * 1024
const MOST_ACCOUNTS = 10_000
/** Ten thousand reports with their problems fit. */
export const ANSWER_LIMIT_BYTES = 512 * 1024 * 1024

export function parseRequest(text: string): Request | null {
  const value = parseObject(text)
  if (value === null) return null
  const { verb, accounts, eager, wait, mark, yes } = value
  if (verb === 'status' || verb === 'stop') return { verb }
  // A client of an older version says nothing of it.
  if (verb === 'reload') return { verb, yes: yes === true }
  if (verb !== 'wake' || typeof eager !== 'boolean' || typeof wait !== 'boolean') return null
  if (!Array.isArray(accounts) || accounts.length > MOST_ACCOUNTS) return null
  if (!accounts.every((name) => typeof name === 'string')) return null
  if (mark !== null && typeof mark !== 'string') return null
  return { verb, accounts, eager, wait, mark }
}

/** The other end is a popfetch of this user: only the frame of a line is checked, its contents are trusted. */
export function parseLine(text: string): Line | null {
  const value = parseObject(text)
  if (value?.['kind'] === 'working') return { kind: 'working' }
  if (value?.['kind'] === 'answer' && typeof value['answer'] === 'object') return value as unknown as Line
  if (value?.['kind'] === 'refusal' && typeof value['error'] === 'object') return value as unknown as Line
  return null
}

/** Takes a stream apart into lines. Each character is looked at once, however small the pieces are in which it comes. */
export class Lines {
  readonly #limit: number
  #begun: string[] = []
  #length = 0

  /** `limit`: how many characters are kept at most of a line that has no end yet. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** The lines that end in this piece, without their ends. Null: the last is over the limit. */
  take(piece: string): readonly string[] | null {
    const [first = '', ...others] = piece.split('\n')
    this.#begun.push(first)
    this.#length += first.length
    const last = others.pop()
    if (last === undefined) return this.#length > this.#limit ? null : []
    const ended = [this.#begun.join(''), ...others]
    this.#begun = [last]
    this.#length = last.length
    return this.#length > this.#limit ? null : ended
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

/** sun_path holds 108 bytes on Linux and 104 elsewhere, a NUL among them. */
const PATH_LIMIT_BYTES = 103

/** Beside the ledger, or where that path is too long in $XDG_RUNTIME_DIR/popfetch. Rejects with ERR_CONFIG without either. */
export async function socketPath(ledger: string, env: NodeJS.ProcessEnv): Promise<string> {
  const real = await realpath(ledger).catch(async () =>
    path.join(await realpath(path.dirname(ledger)).catch(() => path.dirname(ledger)), path.basename(ledger)),
  )
  const beside = `${real}.socket`
  if (Buffer.byteLength(beside) <= PATH_LIMIT_BYTES) return beside
  const runtime = env['XDG_RUNTIME_DIR']
  const name = `${createHash('sha256').update(real).digest('hex').slice(0, 16)}.socket`
  const elsewhere = runtime === undefined ? '' : path.join(runtime, 'popfetch', name)
  if (path.isAbsolute(elsewhere) && Buffer.byteLength(elsewhere) <= PATH_LIMIT_BYTES) return elsewhere
  throw new PopfetchError(
    'ERR_CONFIG',
    `the path of the ledger is too long for a control socket beside it (${Buffer.byteLength(beside)} bytes): set XDG_RUNTIME_DIR, or choose a shorter one with state: or --state`,
    { scope: 'process', retry: 'never' },
  )
}

/** Tells one version of a configuration from another. */
export async function configurationMark(files: readonly string[], env: Environment = {}): Promise<string> {
  const marks: string[] = []
  for (const file of files) {
    const held = file === IN_ENVIRONMENT ? textInEnvironment(env) : null
    if (held !== null) {
      marks.push(`${file}\0${createHash('sha256').update(held).digest('hex')}`)
      continue
    }
    const { ino, size, mtimeMs } = await stat(file)
    marks.push(`${file}\0${ino} ${size} ${mtimeMs}`)
  }
  // There may be a file for each of many accounts.
  return marks.length === 1 ? (marks[0] ?? '') : createHash('sha256').update(marks.join('\n')).digest('hex')
}
