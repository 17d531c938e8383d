// `npm run test:soak:pairs [-- POLLS]`: two thousand polls in which mailboxes and their destinations misbehave in random pairs,
// for some hours and then no more. The clock is the soak's own, so weeks take minutes. Judged at the end of each world
// (judge.ts, manners.ts, telling.ts). Every good message is delivered once and gone, every bad one is kept and named. No
// destination was asked more often than DESIGN 5 allows. Every trouble was told once and daily, and its end once. Ends with 0
// or 1. SEED=N repeats a run, WORLD=N one world of it; the seed is printed. MODE, MAILBOX, PLACE and ROUTE choose what else is
// left to chance.
import { Background, Cron, type Driver } from './pairs/drivers.ts'
import { isSettled, judgeMail } from './pairs/judge.ts'
import { judgeManners } from './pairs/manners.ts'
import { judgeTelling } from './pairs/telling.ts'
import { Hang, Time } from './pairs/time.ts'
import { World } from './pairs/world.ts'

const { env } = process
const POLLS = Number(process.argv[2] ?? 2_000)
const SEED = Number(env['SEED'] ?? 1)
const ONLY = env['WORLD'] === undefined ? null : Number(env['WORLD'])
const MODES = { cron: 'cron', daemon: 'daemon' } as const
const MODE = MODES[env['MODE'] as keyof typeof MODES] ?? null
const ROUTES = { all: 'all', 'first-of': 'first-of' } as const
const ROUTE = ROUTES[env['ROUTE'] as keyof typeof ROUTES] ?? null

/** With both sides well, everything must have ended after so much time; a few rounds more show that it is over. */
const WELL_MS = 6 * 24 * 3_600_000
const LAST_ROUNDS = 3

const time = new Time()
time.install()
console.log(`seed ${SEED}`)
let polls = 0
let worlds = 0
let failed = 0
const isEnough = (): boolean => polls >= POLLS || (ONLY !== null && worlds > 0)
for (let number = ONLY ?? 1; !isEnough(); number++) {
  worlds++
  const wrong = await live(number)
  if (wrong.length > 0) failed++
  for (const what of wrong) console.log(`world ${number}: ${what}`)
}
console.log(`${polls} polls, ${worlds} worlds: ${worlds - failed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)

/** One world, from its first poll to its last; what was wrong. */
async function live(number: number): Promise<readonly string[]> {
  const wishes = { mode: MODE, mailboxHabit: env['MAILBOX'] ?? null, placeHabit: env['PLACE'] ?? null, route: ROUTE }
  await using world = await World.make({ seed: SEED, number, ...wishes }, time)
  const wrong: string[] = []
  if (env['VERBOSE'] !== undefined) console.log(`world ${number}: ${world.name}`)
  try {
    await using driver: Driver = world.mode === 'cron' ? new Cron(world) : await Background.start(world)
    await days(world, driver).catch((error: unknown) => {
      if (error instanceof Hang) hung(number, world, error)
      throw error
    })
    polls += driver.polled.length
    wrong.push(
      ...(await judgeMail(world, driver.polled)),
      ...judgeManners(world, driver),
      ...judgeTelling(world, driver),
    )
    if (env['JOURNAL'] !== undefined)
      for (const { name, mailbox } of world.accounts)
        console.log(
          name,
          mailbox.server.journal
            .slice(-60)
            .map((e) => e.session + e.kind + ' ' + e.text)
            .join(' , '),
        )
    if (env['DIARY'] !== undefined)
      for (const { name, sink } of world.places)
        for (const { poll, atMs, step, subject, answer } of sink?.diary ?? [])
          console.log(name, poll, new Date(atMs).toISOString().slice(0, 19), step, subject, answer ?? 'taken')
    if (env['VERBOSE'] !== undefined) tell(driver)
  } catch (error) {
    wrong.push(error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
  if (env['KEEP'] !== undefined)
    console.log(
      (await import('node:child_process')).execSync(`cp ${world.directory}/state.db* /tmp/keep/`, { encoding: 'utf8' }),
    )
  return wrong.length === 0 ? [] : [world.name, ...wrong]
}

/** What never ends cannot be cleaned up either. */
function hung(number: number, world: World, { message }: Hang): never {
  console.log(`world ${number}: ${world.name}`)
  console.log(`world ${number}: round ${world.round}: ${message}`)
  for (const { mailbox, name } of world.accounts)
    console.log(
      `${name}: ${mailbox.server.journal
        .slice(-12)
        .map(({ session, kind, text }) => `${session} ${kind} ${text}`)
        .join(' | ')}`,
    )
  process.exit(1)
}

async function days(world: World, driver: Driver): Promise<void> {
  const { chance } = world
  const badRounds = 4 + chance.below(5)
  for (let round = 0; round < badRounds; round++) {
    await driver.round()
    for (const account of world.accounts) if (chance.next() < 0.3) world.post(account, 1)
  }
  world.isBad = false
  const untilMs = time.nowMs() + WELL_MS
  while (time.nowMs() < untilMs && !isSettled(world)) await driver.round()
  for (let round = 0; round < LAST_ROUNDS; round++) await driver.round()
}

function tell({ said, polled }: Driver): void {
  const lines = polled.map(({ round, atMs, report, exit }) => {
    const {
      account,
      outcome,
      error,
      problems,
      troubles: _troubles,
      plan: _plan,
      durationMs: _duration,
      bytes: _bytes,
      ...counts
    } = report
    const some = Object.entries(counts).flatMap(([name, count]) => (count === 0 ? [] : [`${name} ${String(count)}`]))
    const told = problems.map(
      ({ uidl, kind, reason, again }) => `${uidl} ${kind}${again === true ? ' again' : ''}: ${reason}`,
    )
    return {
      round,
      atMs,
      text: `${account} ${outcome} ${exit ?? ''} ${some.join(', ')} ${error?.message ?? ''} ${told.join('; ')}`,
    }
  })
  const words = said.map(({ round, atMs, where, level, text, facts }) => ({
    round,
    atMs,
    text: `   ${where} ${level}: ${text} ${JSON.stringify(facts)}`,
  }))
  for (const { round, atMs, text } of [...lines, ...words].sort((a, b) => a.round - b.round))
    console.log(round, new Date(atMs).toISOString().slice(0, 19), text)
}
