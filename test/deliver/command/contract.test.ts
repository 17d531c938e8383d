// A command keeps the contract of destinations: a real program takes the messages, and fails or waits when it is told to.
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openCommand } from '../../../src/deliver/command/command.ts'
import { NoRoom, Reserve } from '../../../src/deliver/disk/reserve.ts'
import { destinationContract } from '../contract.ts'
import type { Held, Place } from '../place.ts'
import { asCrlf, directory } from '../scene.ts'

/** Two steps: it begins, and it has the message but does not show it. Behind them it has shown it, and can only be killed. */
const PROGRAM = `#!/bin/sh
cd "$(dirname "$0")/state" || exit 75
step() {
  echo >> steps
  n=$(wc -l < steps)
  if [ -e "fail.$n" ]; then . "./fail.$n"; fi
  if [ -e "hold.$n" ]; then : > reached; while ! [ -e released ]; do sleep 0.01; done; fi
}
step
cat > "../part/$$"
step
mv "../part/$$" "../in/$$"
if [ -e killed ]; then kill -KILL $$; fi
exit 0
`

const FAILURES: Readonly<Record<string, string>> = {
  'is told to try later': 'exit 75',
  refuses: 'exit 67',
  'has a bug': 'exit 1',
  'is killed': 'kill -KILL $$',
}

class FullDisk extends Reserve {
  isFull = false

  override take(...given: Parameters<Reserve['take']>): Promise<void> {
    return this.isFull ? Promise.reject(new NoRoom('none is left')) : super.take(...given)
  }
}

class CommandPlace implements Place {
  readonly mostBytes = null
  readonly killAt = null
  readonly #root = directory()
  readonly #reserve = new FullDisk()
  readonly #program: string
  readonly #description: string

  constructor(longNames: boolean) {
    for (const folder of ['state', 'part', 'in', 'spool']) fs.mkdirSync(this.#at(folder), { mode: 0o700 })
    this.#program = this.#at('take')
    fs.writeFileSync(this.#program, PROGRAM, { mode: 0o700 })
    this.#description = longNames ? `command ${'long'.repeat(200)}` : 'command take'
  }

  open(limitMs?: number) {
    return openCommand(
      {
        run: [this.#program],
        env: {},
        cwd: null,
        timeoutMs: limitMs ?? 60_000,
        concurrency: 4,
        description: this.#description,
      },
      { env: process.env, spoolDirectory: this.#at('spool'), prefix: () => '', reserve: this.#reserve, graceMs: 50 },
    )
  }

  seen() {
    const files = fs.readdirSync(this.#at('in')).map((name) => fs.readFileSync(this.#at('in', name)))
    return Promise.resolve(files.map((bytes) => ({ recipient: '', bytes: asCrlf(bytes) })))
  }

  /** The program answers for what it has taken. */
  afterPowerCut() {
    return this.seen()
  }

  leftovers() {
    return Promise.resolve(fs.readdirSync(this.#at('spool')))
  }

  failAt(step: number, how: string): void {
    this.#clear()
    fs.writeFileSync(this.#at('state', `fail.${step}`), FAILURES[how] ?? '')
  }

  holdAt(step: number): Held {
    this.#clear()
    fs.writeFileSync(this.#at('state', `hold.${step}`), '')
    const isThere = (name: string): boolean => fs.existsSync(this.#at('state', name))
    const reached = async (): Promise<void> => {
      while (!isThere('reached') && !isThere('released')) await pause(5)
    }
    return { reached: reached(), release: () => fs.writeFileSync(this.#at('state', 'released'), '') }
  }

  steps(): number {
    const file = this.#at('state', 'steps')
    return fs.existsSync(file) ? fs.readFileSync(file, 'latin1').length : 0
  }

  goDown(): void {
    fs.renameSync(this.#program, `${this.#program}.away`)
  }

  fillUp(): void {
    this.#reserve.isFull = true
  }

  heal(): void {
    if (fs.existsSync(`${this.#program}.away`)) fs.renameSync(`${this.#program}.away`, this.#program)
    this.#reserve.isFull = false
    this.#clear()
  }

  #clear(): void {
    for (const name of fs.readdirSync(this.#at('state'))) fs.unlinkSync(this.#at('state', name))
  }

  #at(...names: readonly string[]): string {
    return path.join(this.#root, ...names)
  }
}

destinationContract({
  name: 'command',
  failures: Object.keys(FAILURES),
  place: ({ longNames } = { longNames: false }) => Promise.resolve(new CommandPlace(longNames)),
})
