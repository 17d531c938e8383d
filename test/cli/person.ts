// Somebody with a home of their own who types command lines: the real rooms, and streams that keep what was printed.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execute } from '../../src/cli/main.ts'
import { Output } from '../../src/cli/output.ts'
import { rooms, type Surroundings } from '../../src/cli/surroundings.ts'
import { MemoryStream } from './streams.ts'

export class Person implements AsyncDisposable {
  readonly home: string
  readonly env: Record<string, string>
  readonly stdout = new MemoryStream()
  readonly stderr = new MemoryStream()
  readonly controller = new AbortController()

  private constructor(home: string) {
    this.home = home
    this.env = { HOME: home, PATH: process.env['PATH'] ?? '', LOGNAME: 'alice' }
  }

  static async arrive(): Promise<Person> {
    return new Person(await mkdtemp(join(tmpdir(), 'popfetch-person-')))
  }

  path(...names: string[]): string {
    return join(this.home, ...names)
  }

  async write(name: string, text: string, mode = 0o600): Promise<void> {
    await mkdir(dirname(this.path(name)), { recursive: true })
    await writeFile(this.path(name), text, { mode })
  }

  /** Everything printed, of both streams. */
  get printed(): string {
    return this.stdout.text + this.stderr.text
  }

  async run(...argv: string[]): Promise<number> {
    this.stdout.text = ''
    this.stderr.text = ''
    return await execute(argv, this.surroundings())
  }

  surroundings(): Surroundings {
    return {
      env: this.env,
      cwd: this.home,
      uid: process.getuid?.() ?? -1,
      output: new Output(this.stdout, this.stderr),
      terminal: null,
      person: false,
      nowMs: Date.now,
      signal: this.controller.signal,
      interruption: () => null,
      rooms,
      host: {
        command: [],
        pid: 1,
        attached: () => false,
        starter: () => Promise.resolve(null),
        daemon: () => Promise.resolve(null),
        on: () => {},
        contain: () => {},
        keepCode: () => {},
        cacheFolder: null,
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.home, { recursive: true })
  }
}
