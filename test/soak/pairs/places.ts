// The other destinations of the soak: a Maildir, an mbox, a program; each with habits of bad days. And a next hop (sinks.ts) as
// one of them.
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Chance } from './chance.ts'
import { isWhole, subjectOf } from './letters.ts'
import { SINK_HABITS, SinkWorld } from './sinks.ts'
import type { Time } from './time.ts'

export interface Place {
  readonly name: string
  readonly kind: 'maildir' | 'mbox' | 'command' | 'imap' | 'smtp' | 'lmtp'
  /** What is behind its name in the configuration. */
  readonly configuration: object
  readonly habits: readonly string[]
  readonly sink: SinkWorld | null
  begin(poll: number, habit: string | null): Promise<void>
  /** The subjects of all that it has, with repetitions. */
  taken(): Promise<readonly number[]>
  /** How many copies too many were to be expected of that message. */
  extra(subject: number): number
  close(): Promise<void>
}

abstract class OnDisk {
  readonly sink = null
  readonly name: string
  readonly directory: string
  protected readonly time: Time

  constructor(name: string, directory: string, time: Time) {
    this.name = name
    this.directory = join(directory, name)
    this.time = time
  }

  extra(_subject: number): number {
    return 0
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

export class MaildirPlace extends OnDisk implements Place {
  readonly kind = 'maildir'
  readonly habits = ['well', 'well', 'not mounted', 'tmp is a file']

  get configuration() {
    return { type: 'maildir', path: this.name }
  }

  async begin(_poll: number, habit: string | null): Promise<void> {
    const away = `${this.directory}.away`
    const tmp = join(this.directory, 'tmp')
    if (habit === 'not mounted') {
      if (existsSync(this.directory) && !existsSync(away) && (await this.taken()).length > 0)
        await rename(this.directory, away)
    } else if (habit === 'tmp is a file') {
      if (!existsSync(tmp) || (await readdir(tmp).catch(() => ['file'])).length > 0) return
      await rm(tmp, { recursive: true })
      await writeFile(tmp, '')
    } else {
      if (existsSync(away)) {
        await rm(this.directory, { recursive: true, force: true })
        await rename(away, this.directory)
      }
      if (existsSync(tmp) && (await readdir(tmp).catch(() => null)) === null) {
        await rm(tmp)
        await mkdir(tmp, { mode: 0o700 })
      }
    }
  }

  async taken(): Promise<readonly number[]> {
    const found: number[] = []
    for (const folder of ['new', 'cur'])
      for (const file of await readdir(join(this.directory, folder)).catch(() => [])) {
        const text = await readFile(join(this.directory, folder, file), 'latin1')
        const subject = subjectOf(text)
        found.push(isWhole(text, subject) ? subject : -1)
      }
    return found
  }
}

export class MboxPlace extends OnDisk implements Place {
  readonly kind = 'mbox'
  readonly habits = ['well', 'well', 'locked by another', 'a folder']

  get configuration() {
    return { type: 'mbox', path: this.name }
  }

  async begin(_poll: number, habit: string | null): Promise<void> {
    const lock = `${this.directory}.lock`
    const away = `${this.directory}.away`
    if (habit === 'locked by another') {
      await writeFile(lock, 'another')
      const now = this.time.nowMs() / 1000
      await utimes(lock, now, now)
    } else await rm(lock, { force: true })
    if (habit === 'a folder') {
      if (existsSync(away) || !existsSync(this.directory)) return
      await rename(this.directory, away)
      await mkdir(this.directory)
    } else if (existsSync(away)) {
      await rm(this.directory, { recursive: true })
      await rename(away, this.directory)
    }
  }

  async taken(): Promise<readonly number[]> {
    const text = await readFile(this.directory, 'latin1').catch(() => '')
    const messages = text.split(/^From .*\n/m).slice(1)
    return messages.map((message) => {
      const subject = subjectOf(message)
      return isWhole(message, subject) ? subject : -1
    })
  }
}

const SCRIPT = `mode=$(cat "$1/mode" 2>/dev/null || echo 0)
case $mode in
  killed) cat > "$1/$POPFETCH_SOAK.$$.mail"; kill -9 $$ ;;
  0) cat > "$1/$$.part" && mv "$1/$$.part" "$1/$$.$(ls "$1" | wc -l).mail" ;;
  *) cat > /dev/null; exit "$mode" ;;
esac
`

export class CommandPlace extends OnDisk implements Place {
  readonly kind = 'command'
  readonly habits = ['well', 'well', '75', '69', '77', '73', '1', 'killed']
  #killed = false

  get configuration() {
    return { type: 'command', run: ['/bin/sh', '-c', SCRIPT, 'agent', this.directory] }
  }

  async begin(_poll: number, habit: string | null): Promise<void> {
    await mkdir(this.directory, { recursive: true })
    const mode = habit === null || habit === 'well' ? '0' : habit
    this.#killed ||= mode === 'killed'
    await writeFile(join(this.directory, 'mode'), mode)
  }

  async taken(): Promise<readonly number[]> {
    const files = (await readdir(this.directory).catch(() => [])).filter((file) => file.endsWith('.mail'))
    return await Promise.all(files.map(async (file) => subjectOf(await readFile(join(this.directory, file)))))
  }

  override extra(): number {
    return this.#killed ? 3 : 0
  }
}

export class HopPlace implements Place {
  readonly name: string
  readonly kind: 'smtp' | 'lmtp'
  readonly habits: readonly string[]
  readonly sink: SinkWorld
  readonly configuration: object

  private constructor(
    name: string,
    sink: SinkWorld,
    { lmtp, signsIn }: { readonly lmtp: boolean; readonly signsIn: boolean },
  ) {
    this.name = name
    this.kind = lmtp ? 'lmtp' : 'smtp'
    this.sink = sink
    this.habits = Object.keys(SINK_HABITS).filter((habit) => signsIn || !habit.startsWith('sign-in'))
    const { host, port } = sink.sink
    const user = signsIn ? { user: 'popfetch', password: 'secret' } : {}
    this.configuration = { type: this.kind, host, port, tls: 'none', to: 'bob@example.net', ...user }
  }

  static async start(name: string, chance: Chance, time: Time, lmtp: boolean): Promise<HopPlace> {
    const options = { lmtp, signsIn: !lmtp && chance.next() < 0.3 }
    return new HopPlace(name, await SinkWorld.start(chance, time, options), options)
  }

  begin(poll: number, habit: string | null): Promise<void> {
    this.sink.begin(poll, habit)
    return Promise.resolve()
  }

  taken(): Promise<readonly number[]> {
    return Promise.resolve(this.sink.taken)
  }

  extra(subject: number): number {
    return this.sink.lost.get(subject) ?? 0
  }

  async close(): Promise<void> {
    await this.sink.sink[Symbol.asyncDispose]()
  }
}
