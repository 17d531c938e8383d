// The processes that a daemon starts, seen from the daemon: they are fakes here, and time is the test's own.
import { describe, expect, test } from 'vitest'
import type { LogFacts } from '../../../src/log.ts'
import { silentLog } from '../../../src/log.ts'
import type { Order, OwnProcess, Word } from '../../../src/daemon/workers/protocol.ts'
import { Workers } from '../../../src/daemon/workers/workers.ts'
import { FakeClock } from '../fake-time.ts'

class FakeProcess implements OwnProcess {
  readonly pid: number
  readonly orders: Order['kind'][] = []
  killed = false
  deaf = false
  #hear: (word: Word) => void = () => {}
  #gone: (how: string) => void = () => {}

  constructor(pid: number) {
    this.pid = pid
  }

  say(order: Order): void {
    this.orders.push(order.kind)
    if (this.deaf) return
    if (order.kind === 'ping') this.tell({ kind: 'alive', polling: [`polled-by-${this.pid}`], overdue: [] })
    if (order.kind === 'stop') this.die('exit code 0')
  }

  listen(hear: (word: Word) => void, gone: (how: string) => void): void {
    this.#hear = hear
    this.#gone = gone
  }

  tell(word: Word): void {
    this.#hear(word)
  }

  die(how: string): void {
    this.#gone(how)
  }

  kill(): void {
    this.killed = true
    this.die('SIGKILL')
  }
}

function crew(count: number) {
  const clock = new FakeClock()
  const processes: FakeProcess[] = []
  const lines: string[] = []
  const line = (text: string, facts: LogFacts = {}): void => void lines.push(`${facts['worker'] ?? ''} ${text}`)
  const ended: string[] = []
  const workers = new Workers({
    count,
    start: () => {
      const process = new FakeProcess(processes.length + 1)
      processes.push(process)
      return process
    },
    log: { ...silentLog, info: line, warn: line, error: line },
    ended: ({ account }) => ended.push(account),
    after: clock.after,
    elapsedMs: clock.elapsedMs,
  })
  return { clock, processes, lines, ended, workers }
}

describe('a process that dies', () => {
  test('is started again soon, and later and later if it dies again and again', async () => {
    const { clock, processes, lines, workers } = crew(2)
    const starts: number[] = []
    for (let deaths = 0; deaths < 9; deaths++) {
      const before = processes.length
      const diedMs = clock.elapsedMs()
      processes.at(-1)?.die('SIGSEGV')
      while (processes.length === before) await clock.pass(500)
      starts.push(Math.round((clock.elapsedMs() - diedMs) / 1000))
    }
    expect(starts).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60])
    expect(lines[0]).toBe('2 a worker ended (SIGSEGV), and is started again')
    await clock.pass(11 * 60_000)
    const before = processes.length
    processes.at(-1)?.die('SIGSEGV')
    await clock.pass(1100)
    expect(processes.length).toBe(before + 1)
    await workers[Symbol.asyncDispose]()
  })

  test('with which nothing is wrong but that it says nothing is killed after two minutes, and started again', async () => {
    const { clock, processes, lines, workers } = crew(2)
    await clock.pass(1000)
    const [first, second] = processes
    if (first !== undefined) first.deaf = true
    await clock.pass(130_000)
    expect(first?.killed).toBe(false)
    await clock.pass(10_000)
    expect([first?.killed, second?.killed, processes.length]).toEqual([true, false, 3])
    expect(lines[0]).toBe('1 a worker has said nothing for two minutes, and is ended')
    await workers[Symbol.asyncDispose]()
  })
})

describe('what a process says', () => {
  test('is in the log of the daemon with its number, and counts like a poll of the daemon itself', async () => {
    const { processes, lines, ended, workers } = crew(2)
    processes[1]?.tell({ kind: 'log', level: 'warn', text: 'a destination is paused', facts: { destination: 'inbox' } })
    const poll = { report: {} as never, health: null, lateMs: 0, waitMs: 0, thrown: null }
    processes[0]?.tell({ kind: 'ended', account: 'work', ...poll })
    expect(lines).toEqual(['2 a destination is paused'])
    expect(ended).toEqual(['work'])
    await workers[Symbol.asyncDispose]()
  })

  test('of accounts that it polls, or that hang, is in the plan of the daemon, until it dies', async () => {
    const { clock, processes, workers } = crew(1)
    const plan = ['polled-by-1', 'other'].map((account) => ({ account, polling: false, nextPollMs: 5, overdue: false }))
    await clock.pass(100)
    expect(workers.with(plan)[0]).toEqual({ account: 'polled-by-1', polling: true, nextPollMs: null, overdue: false })
    processes[0]?.tell({ kind: 'alive', polling: [], overdue: ['other'] })
    expect(workers.with(plan).map(({ overdue }) => overdue)).toEqual([false, true])
    processes[0]?.die('SIGKILL')
    expect(workers.with(plan)).toEqual(plan)
    await workers[Symbol.asyncDispose]()
  })
})

describe('the end', () => {
  test('is told to all, and waited for', async () => {
    const { processes, workers } = crew(3)
    await workers[Symbol.asyncDispose]()
    expect(processes.map(({ orders }) => orders.at(-1))).toEqual(['stop', 'stop', 'stop'])
    expect(processes).toHaveLength(3)
  })

  test('comes after nine seconds and a half to those that do not end by themselves', async () => {
    const { clock, processes, workers } = crew(2)
    const [first] = processes
    if (first !== undefined) first.deaf = true
    const end = workers[Symbol.asyncDispose]()
    await clock.pass(9000)
    expect(first?.killed).toBe(false)
    await clock.pass(1000)
    await end
    expect(first?.killed).toBe(true)
  })

  test('starts nobody who died just before', async () => {
    const { clock, processes, workers } = crew(1)
    processes[0]?.die('SIGKILL')
    await workers[Symbol.asyncDispose]()
    await clock.pass(60_000)
    expect(processes).toHaveLength(1)
  })
})
