// A program as a destination: the message is its standard input (stdin-file.ts), its exit code tells the outcome
// (sysexits.ts). It is run without a shell, without a word of the message in its arguments (D094), with a few
// environment variables (program.ts runs it). One rule: only exit code 0 is a delivery.
import { constants } from 'node:fs'
import path from 'node:path'
import { display, displayBytes } from '../../display.ts'
import { DeliveryError, PopfetchError } from '../../errors.ts'
import type { Message, Origin } from '../../message.ts'
import { type Ending, programEnvironment, runProgram, USUAL_PATH } from '../../program.ts'
import { isAddress } from '../address.ts'
import { concluded } from '../answers/conclusions.ts'
import { type Attempt, type Destination, type Probed, type Receipt, receiptOf } from '../destination.ts'
import { diskError } from '../disk/disk-error.ts'
import { offLoop } from '../disk/filesystem.ts'
import type { Reserve } from '../disk/reserve.ts'
import { envelopeSender } from '../envelope.ts'
import { Slots } from '../slots.ts'
import { outputFile } from './output-file.ts'
import { stdinFile } from './stdin-file.ts'
import { failureOf } from './sysexits.ts'

export interface CommandConfig {
  /** The program, as a path or as a name that is in PATH, and its arguments. */
  readonly run: readonly string[]
  /** Added to its environment; they win over PATH, HOME and the like, and never have popfetch's own names. */
  readonly env: Readonly<Record<string, string>>
  /** Where it is run; null: in /. */
  readonly cwd: string | null
  readonly timeoutMs: number
  readonly concurrency: number
  /** "command maildrop". */
  readonly description: string
}

export interface CommandContext {
  /** The environment of popfetch; the program sees PATH, HOME, LANG and the user's name of it. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly spoolDirectory: string
  /** The fields to put on top, with CRLF line ends; '' for none. */
  readonly prefix: (attempt: Attempt) => string
  readonly reserve: Reserve
  /** For tests. */
  readonly graceMs?: number
}

const UIDL_LIMIT = 500

/** Of each output, for the error text. */
const WORDS_BYTES = 2048

export function openCommand(config: CommandConfig, context: CommandContext): Destination {
  return new Command(config, context)
}

class Command implements Destination {
  readonly description: string
  readonly recipients = ['']
  readonly spool = null
  readonly remembers = false
  readonly #config: CommandConfig
  readonly #context: CommandContext
  readonly #slots: Slots
  #program: string | null = null

  constructor(config: CommandConfig, context: CommandContext) {
    this.#config = config
    this.#context = context
    this.#slots = new Slots(config.concurrency)
    this.description = config.description
  }

  async ready(): Promise<void> {
    this.#program = await this.#find()
  }

  /** The program is there, and so is the folder in which it runs. It is not run: it would want a message. */
  async probe(): Promise<Probed> {
    const program = await this.#find()
    const { cwd } = this.#config
    if (cwd !== null && !(await isDirectory(cwd))) throw this.#noFolder(cwd)
    return { tls: null, findings: [{ name: 'program', value: display(program) }], warnings: [] }
  }

  recall(): Promise<null> {
    return Promise.resolve(null)
  }

  census(): Promise<null> {
    return Promise.resolve(null)
  }

  async deliver(attempt: Attempt, message: Message, signal: AbortSignal): Promise<Receipt> {
    const free = await this.#slots.take(signal).catch((cause: unknown) => {
      const text = `${this.description}: stopped before it was run: it will be tried again`
      throw new DeliveryError(text, { ...concluded('TEMP', 'ours', { counts: false }), cause })
    })
    try {
      const program = this.#program ?? (await this.#find())
      const ending = await this.#run(program, attempt, message, signal)
      const failure = failureOf(this.description, ending)
      if (failure !== null) throw failure
      return receiptOf(`${this.description}: done`)
    } finally {
      free()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing to close: each delivery ends its own program.
  }

  async #run(program: string, attempt: Attempt, message: Message, signal: AbortSignal): Promise<Ending> {
    const { spoolDirectory, reserve, graceMs } = this.#context
    const prefix = Buffer.from(this.#context.prefix(attempt).replaceAll('\r\n', '\n'), 'latin1')
    const files: number[] = []
    try {
      files.push(await stdinFile(message, { directory: spoolDirectory, prefix, reserve, signal }))
      files.push(await outputFile(spoolDirectory), await outputFile(spoolDirectory))
    } catch (error) {
      for (const file of files) await offLoop.close(file)
      throw diskError(`${this.description}: cannot keep the message in ${display(spoolDirectory)}`, error)
    }
    const [stdin = 0, stdout = 0, stderr = 0] = files
    try {
      await attempt.handingOver?.()
      const { run, timeoutMs, env, cwd } = this.#config
      return await runProgram({
        command: [program, ...run.slice(1)],
        env: environment(this.#context.env, env, message),
        // So that the program behaves the same wherever popfetch is started.
        cwd: cwd ?? '/',
        stdin,
        stdout: { keep: 'file', file: stdout, limitBytes: WORDS_BYTES },
        stderr: { keep: 'file', file: stderr, limitBytes: WORDS_BYTES },
        limitMs: timeoutMs,
        signal,
        ...(graceMs === undefined ? {} : { graceMs }),
      })
    } catch (error) {
      throw error instanceof PopfetchError ? error : await this.#notRun(error)
    } finally {
      for (const file of files) await offLoop.close(file)
    }
  }

  /** It cannot be started: as little as when there is none. */
  async #notRun(error: unknown): Promise<DeliveryError> {
    const { cwd } = this.#config
    if (cwd !== null && !(await isDirectory(cwd))) return this.#noFolder(cwd)
    return diskError(`${this.description}: cannot be run`, error)
  }

  #noFolder(cwd: string): DeliveryError {
    const text = `${this.description}: cannot be run in ${display(cwd)}, which is not a directory: create it, or correct cwd`
    return new DeliveryError(text, { ...concluded('ACT', 'no directory'), retry: 'never' })
  }

  /** The program's path. Rejects with DeliveryError: the next poll looks again. */
  async #find(): Promise<string> {
    const [program = ''] = this.#config.run
    const { PATH = USUAL_PATH } = { ...this.#context.env, ...this.#config.env }
    const places = program.includes('/') ? [program] : PATH.split(':').map((place) => path.resolve(place, program))
    for (const place of places) if (await isProgram(place)) return place
    const where = program.includes('/') ? 'it is not a program' : `it is not in PATH (${display(PATH)})`
    const missing = concluded('ACT', 'no program')
    throw new DeliveryError(`${this.description}: ${where}: install it, or correct run`, { ...missing, retry: 'never' })
  }
}

async function isProgram(file: string): Promise<boolean> {
  try {
    await offLoop.access(file, constants.X_OK)
    return (await offLoop.lstat(await offLoop.realpath(file))).isFile()
  } catch {
    return false
  }
}

async function isDirectory(folder: string): Promise<boolean> {
  try {
    return (await offLoop.lstat(await offLoop.realpath(folder))).isDirectory()
  } catch {
    return false
  }
}

/** The program does not see the environment of popfetch, which may hold tokens (D095). Values from outside are plain
 *  addresses, or escaped. */
function environment(
  env: CommandContext['env'],
  added: CommandConfig['env'],
  { origin, header }: Message,
): Record<string, string> {
  return {
    ...programEnvironment(env),
    ...added,
    POPFETCH_ACCOUNT: origin.account,
    POPFETCH_UIDL: displayBytes(Buffer.from(origin.uidl, 'latin1'), UIDL_LIMIT),
    // Empty for the null sender and for an unknown one, as local delivery agents do it.
    SENDER: envelopeSender({ kind: 'original' }, header, '').address,
    RECIPIENT: recipientOf(origin),
  }
}

/** The owner of the mailbox it came from; never an address from the message (D043). */
function recipientOf({ user, host }: Origin): string {
  if (isAddress(user)) return user
  const address = `${user}@${host}`
  return isAddress(address) ? address : ''
}
