// How the polls of a world come about: by cron, each the whole command line in this process, or by the daemon's own
// scheduler. Both tell what was reported and what was said.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execute } from '../../../src/cli/main.ts'
import { Output } from '../../../src/cli/output.ts'
import { type Rooms, rooms, type Surroundings } from '../../../src/cli/surroundings.ts'
import { loadConfiguration } from '../../../src/config/load.ts'
import { Alarm } from '../../../src/daemon/alarm.ts'
import { Journal } from '../../../src/daemon/journal.ts'
import { Scheduler } from '../../../src/daemon/schedule/scheduler.ts'
import { openLedger } from '../../../src/ledger/sqlite/open.ts'
import type { Log, LogFacts } from '../../../src/log.ts'
import { Poller } from '../../../src/poll/poller.ts'
import type { AccountReport } from '../../../src/poll/report.ts'
import { MemoryStream } from '../../cli/streams.ts'
import { Hang } from './time.ts'
import type { World } from './world.ts'

/** Something that a person may read. */
export interface Said {
  readonly round: number
  readonly atMs: number
  /** A line on standard error, as cron mails it; or one of the log, at `warn` or `error`, or of an end. */
  readonly where: 'stderr' | 'log'
  readonly level: string
  readonly text: string
  readonly facts: LogFacts
}

export interface Polled {
  readonly round: number
  readonly atMs: number
  readonly report: AccountReport
  /** Of the whole run, from cron; null: there is none. */
  readonly exit: number | null
}

export interface Driver extends AsyncDisposable {
  readonly said: Said[]
  readonly polled: Polled[]
  /** One round: time goes on, and what is due is polled. */
  round(): Promise<void>
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

export class Cron implements Driver {
  readonly said: Said[] = []
  readonly polled: Polled[] = []
  readonly #world: World
  #logged = 0

  constructor(world: World) {
    this.#world = world
  }

  async round(): Promise<void> {
    const { time, chance, isBad, round } = this.#world
    time.pass(
      chance.pick(isBad ? [5 * MINUTE_MS, 20 * MINUTE_MS, 2 * HOUR_MS] : [2 * HOUR_MS, 8 * HOUR_MS, 26 * HOUR_MS]),
    )
    await this.#world.begin()
    const { code, stderr, reports } = await time.during(this.run([]))
    const at = { round: round + 1, atMs: time.nowMs() }
    for (const report of reports) this.polled.push({ ...at, report, exit: code })
    for (const text of stderr) this.said.push({ ...at, where: 'stderr', level: 'warn', text, facts: {} })
    await this.#readLog(at)
  }

  /** The command line with these arguments. */
  async run(
    args: readonly string[],
  ): Promise<{ code: number; stdout: string; stderr: string[]; reports: readonly AccountReport[] }> {
    const { directory, configuration, time } = this.#world
    const [stdout, stderr] = [new MemoryStream(), new MemoryStream()]
    let reports: readonly AccountReport[] = []
    const own: Rooms = {
      ...rooms,
      async poll() {
        const { pollAll, checkAll } = await rooms.poll()
        return {
          checkAll,
          async pollAll(request) {
            reports = await pollAll({ ...request, sessionGapSeconds: 0 })
            return reports
          },
        }
      },
    }
    const surroundings: Surroundings = {
      env: { HOME: directory, PATH: process.env['PATH'] ?? '' },
      cwd: directory,
      uid: process.getuid?.() ?? 0,
      output: new Output(stdout, stderr),
      terminal: null,
      person: false,
      nowMs: time.nowMs,
      signal: new AbortController().signal,
      interruption: () => null,
      rooms: own,
      host: {
        command: [],
        pid: process.pid,
        attached: () => false,
        starter: () => Promise.resolve(null),
        daemon: () => Promise.resolve(null),
        on: () => {},
        contain: () => {},
        keepCode: () => {},
        cacheFolder: null,
      },
    }
    const code = await execute(['--config', configuration, ...args], surroundings)
    const lines = stderr.text.split('\n').filter((line) => line !== '')
    return { code, stdout: stdout.text, stderr: lines, reports }
  }

  async #readLog(at: Pick<Said, 'round' | 'atMs'>): Promise<void> {
    const text = await readFile(join(this.#world.directory, 'popfetch.log'), 'utf8').catch(() => '')
    const lines = text.split('\n').filter((line) => line !== '')
    for (const line of lines.slice(this.#logged)) {
      const { level, msg, ...facts } = JSON.parse(line) as { level: string; msg: string } & LogFacts
      this.said.push({ ...at, where: 'log', level, text: msg, facts })
    }
    this.#logged = lines.length
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve()
  }
}

export class Background implements Driver {
  readonly said: Said[] = []
  readonly polled: Polled[] = []
  readonly #world: World
  readonly #owned = new AsyncDisposableStack()
  #scheduler: Scheduler | null = null
  #alarm: Alarm | null = null
  #names: ReadonlySet<string> = new Set()
  #begun = 0
  #ended = 0
  #onEnd: () => void = () => {}

  private constructor(world: World) {
    this.#world = world
  }

  static async start(world: World): Promise<Background> {
    const background = new Background(world)
    await background.#start()
    return background
  }

  async #start(): Promise<void> {
    const { time, chance, directory, configuration: file } = this.#world
    const env = { HOME: directory, PATH: process.env['PATH'] ?? '' }
    const configuration = await loadConfiguration({
      file,
      state: null,
      env,
      cwd: directory,
      uid: process.getuid?.() ?? 0,
    })
    const ledger = this.#owned.use(await openLedger(configuration.statePath))
    const log = this.#log()
    const observer = { progress: () => {}, note: () => {} }
    const { signal } = new AbortController()
    const poller = this.#owned.use(
      new Poller(configuration, { ledger, observer, log, env, signal, sessionGapSeconds: 0 }),
    )
    const journal = new Journal(log, time.nowMs)
    this.#alarm = new Alarm({ ledger, log, nowMs: time.nowMs })
    this.#names = new Set(configuration.accounts.map(({ name }) => name))
    this.#scheduler = this.#owned.use(
      new Scheduler({
        poller: {
          pollAsPlanned: async (account, options, urgency, planning) => {
            this.#begun++
            const told = await poller.pollAsPlanned(account, options, urgency, planning)
            // Nobody is told of a poll that came too early.
            if ('why' in told && told.why === 'early') this.#begun--
            return told
          },
          interrupt: (only) => poller.interrupt(only),
        },
        ledger,
        isAlone: () => Promise.resolve(true),
        clock: time,
        random: chance.next,
        ended: (ended) => {
          this.#ended++
          this.#onEnd()
          journal.ended(ended)
          this.polled.push({ round: this.#world.round, atMs: time.nowMs(), report: ended.report, exit: null })
        },
      }),
    )
    await this.#scheduler.schedule(configuration.accounts)
  }

  async round(): Promise<void> {
    const { time } = this.#world
    await this.#world.begin()
    const untilMs = time.nowMs() + 26 * HOUR_MS
    while (this.#begun === this.#ended && time.next(HOUR_MS)) {
      if (time.nowMs() > untilMs) throw new Hang('no account was polled for 26 h')
      await new Promise<void>((next) => setImmediate(next))
    }
    await time.during(this.#allEnded())
    await this.#alarm?.look({ alertAfterMs: 6 * HOUR_MS }, this.#names, new Set())
  }

  async #allEnded(): Promise<void> {
    while (this.#begun > this.#ended) await new Promise<void>((next) => (this.#onEnd = next))
  }

  #log(): Log {
    const { time } = this.#world
    const line =
      (level: string) =>
      (text: string, facts: LogFacts = {}): void =>
        void this.said.push({ round: this.#world.round, atMs: time.nowMs(), where: 'log', level, text, facts })
    return {
      wire: () => null,
      debug: () => {},
      info: line('info'),
      warn: line('warn'),
      error: line('error'),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync()
  }
}
