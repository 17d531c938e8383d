// One person's home, in which old tools and popfetch run as that person would run them.
import { execFile } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { messageId } from './mail.ts'
import { temporaryDirectory } from './program.ts'

const popfetchFile = resolve(process.env['POPFETCH'] ?? join(import.meta.dirname, '../../bin/popfetch.ts'))

/** One person's home, with a directory for mail. */
export class Home implements AsyncDisposable {
  readonly path: string
  readonly #directory: AsyncDisposable

  private constructor(directory: AsyncDisposable & { readonly path: string }) {
    this.path = directory.path
    this.#directory = directory
  }

  static async make(): Promise<Home> {
    const home = new Home(await temporaryDirectory())
    for (const part of ['cur', 'new', 'tmp']) await mkdir(join(home.path, 'Mail', part), { recursive: true })
    return home
  }

  async write(name: string, text: string): Promise<void> {
    const file = join(this.path, name)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
    await chmod(file, 0o600)
  }

  /** What the program printed on standard output. `codes`: how it may end. */
  async run(program: string, args: readonly string[], codes: readonly number[] = [0]): Promise<string> {
    const env = { PATH: process.env['PATH'], HOME: this.path, LOGNAME: 'alice', USER: 'alice' }
    try {
      const { stdout } = await promisify(execFile)(program, [...args], { cwd: this.path, env })
      expect(codes).toContain(0)
      return stdout
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      expect(codes, `${program} ended with ${code}: ${stdout}${stderr}`).toContain(code)
      return stdout
    }
  }

  popfetch(...args: string[]): Promise<string> {
    return this.run(process.execPath, [popfetchFile, ...args])
  }

  /** Message-IDs of all mail, in order; one that came twice is there twice. */
  async mail(): Promise<readonly string[]> {
    const ids: string[] = []
    for (const part of ['cur', 'new']) {
      const directory = join(this.path, 'Mail', part)
      for (const name of await readdir(directory)) ids.push(messageId(await readFile(join(directory, name))))
    }
    return ids.toSorted()
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#directory[Symbol.asyncDispose]()
  }
}
