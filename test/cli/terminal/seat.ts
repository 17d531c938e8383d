// popfetch on a terminal of 80 columns (script(1) makes it), and somebody who looks and types.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'vitest'
import { BIN, CACHE } from '../child.ts'
import { Emulator } from './emulator.ts'

const COLUMNS = 80
/** It is only reached where a test fails. */
const LIMIT_MS = 60_000

export class Seat implements AsyncDisposable {
  readonly screen = new Emulator(COLUMNS)
  readonly #child: ChildProcess
  readonly #closed: Promise<[number | null]>
  readonly #limit: NodeJS.Timeout
  /** Called whenever the screen has changed. */
  #look: () => void = () => {}

  constructor(home: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const line = [process.execPath, BIN, ...args].map((word) => `'${word}'`).join(' ')
    this.#child = spawn('script', ['-qefc', `stty cols ${COLUMNS} rows 24; exec ${line}`, '/dev/null'], {
      cwd: home,
      env: {
        NODE_COMPILE_CACHE: CACHE,
        PATH: process.env['PATH'],
        HOME: home,
        XDG_CONFIG_HOME: home,
        XDG_STATE_HOME: home,
        SHELL: '/bin/sh',
        TERM: 'xterm',
        ...env,
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#closed = once(this.#child, 'close') as Promise<[number | null]>
    this.#child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.screen.write(chunk)
      this.#look()
    })
    this.#limit = setTimeout(() => this.#child.kill('SIGKILL'), LIMIT_MS)
  }

  /** Resolves when the screen is so. */
  async until(isSo: (screen: Emulator) => boolean): Promise<void> {
    const seen = new Promise<true>((resolve) => {
      this.#look = () => {
        if (isSo(this.screen)) resolve(true)
      }
      this.#look()
    })
    const isSeen = await Promise.race([seen, this.#closed.then(() => isSo(this.screen))])
    expect(isSeen, this.screen.text).toBe(true)
  }

  type(text: string): void {
    this.#child.stdin?.write(text)
  }

  /** The exit code; what stands then has no line that the terminal had to break but those that are to be copied. */
  async ended(copied = /^(?!)/): Promise<number | null> {
    const [code] = await this.#closed
    expect(this.screen.broken.filter((line) => !copied.test(line))).toEqual([])
    return code
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#limit)
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL')
    await this.#closed
  }
}
