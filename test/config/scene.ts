// A temporary directory with a configuration in it, and what loading it gives.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { loadConfiguration } from '../../src/config/load.ts'
import type { LoadOptions } from '../../src/config/load.ts'
import type { Account, Configuration, DestinationConfig } from '../../src/config/schema.ts'
import { PopfetchError } from '../../src/errors.ts'

/** Not root, so that no warning about root gets in; root owns the files of the tests in a container, which is fine. */
export const UID = process.getuid?.() || 1000

export class Scene implements AsyncDisposable {
  readonly directory: string
  readonly env: Record<string, string>

  constructor(directory: string) {
    this.directory = directory
    this.env = { HOME: path.join(directory, 'home') }
  }

  static async create(): Promise<Scene> {
    return new Scene(await mkdtemp(path.join(tmpdir(), 'popfetch-config-')))
  }

  path(name: string): string {
    return path.join(this.directory, name)
  }

  async write(text: string, { name = 'config.yaml', mode = 0o600 } = {}): Promise<string> {
    const file = this.path(name)
    await rm(file, { force: true })
    await writeFile(file, text, { mode })
    return file
  }

  async load(text: string, options: Partial<LoadOptions> = {}): Promise<Configuration> {
    const file = await this.write(text)
    return loadConfiguration({ file, state: null, env: this.env, cwd: this.directory, uid: UID, ...options })
  }

  /** The lines of the report, file name left out: `LINE: PATH: found …, expected …`. */
  async problems(text: string): Promise<readonly string[]> {
    const error = await refusal(this.load(text))
    const [, ...lines] = error.message.split('\n')
    return lines.map((line) => line.replace(`${this.path('config.yaml')}:`, '').trim())
  }

  /** The one account that has these keys (flow style), beside `host`, `user`, `password` and `deliver`. */
  async account(keys: string): Promise<Account> {
    const { accounts } = await this.load(`accounts:\n  a: {${ACCOUNT}${keys === '' ? '' : `, ${keys}`}}\n`)
    return accounts[0]!
  }

  /** The destination with these keys (flow style). */
  async destination(keys: string): Promise<DestinationConfig> {
    const { destinations } = await this.load(`accounts:\n  a: {${ACCOUNT}}\ndestinations:\n  d: {${keys}}\n`)
    return destinations.get('d')!
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Keys that make an account, in flow style. */
export const ACCOUNT = 'host: pop.example.net, user: alice, password: { env: PW }, deliver: "maildir:/mail"'

/** The error a promise was rejected with. */
export async function refusal(promise: Promise<unknown>): Promise<PopfetchError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof PopfetchError) return error
    throw error
  }
  throw new Error('it was not refused')
}
