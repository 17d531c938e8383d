// Migrations that are not finished: `--list` shows them, `--resume` chooses the one that goes on.
import { usualStatePath } from '../../../config/paths.ts'
import { inFile, type StatePlace } from '../../../config/state/place.ts'
import { display } from '../../../display.ts'
import { PopfetchError } from '../../../errors.ts'
import type { Unfinished } from '../../../migrate/unfinished.ts'
import { refusal } from '../../command-errors.ts'
import { EXIT_OK } from '../../../status/exit.ts'
import { outlineOf } from '../../open/read-ledger.ts'
import type { Surroundings } from '../../surroundings.ts'
import { counted } from '../../../status/words/amounts.ts'
import { iso, span } from '../../../status/words/moment.ts'
import { commandOf, type Remembered, remembered, resumed } from './memo.ts'
import type { MigrateInvocation } from './options.ts'

/** An unfinished migration, as it goes on. */
export interface Chosen extends Remembered {
  readonly account: string
  readonly ledger: StatePlace
}

interface Found extends Unfinished, Remembered {}

/** Prints them. Rejects with ERR_CONFIG when nobody can tell where they are. */
export async function listUnfinished(invocation: MigrateInvocation, surroundings: Surroundings): Promise<number> {
  const { output, nowMs } = surroundings
  const found = await unfinished(invocation, surroundings)
  if (invocation.json) output.object({ ok: true, migrations: found.map(jsonOf) })
  else if (found.length === 0) output.answer('there is no unfinished migration')
  else for (const one of found) output.prose(linesOf(one, nowMs()).join('\n'))
  return EXIT_OK
}

/** The one that `--resume` means. Rejects with ERR_USAGE, and the list, when it is not one. */
export async function chooseUnfinished(invocation: MigrateInvocation, surroundings: Surroundings): Promise<Chosen> {
  const { output, nowMs } = surroundings
  const { resumed: from } = invocation
  const all = await unfinished(invocation, surroundings)
  const meant = all.filter((one) => from === null || fromOf(one) === from || one.account === from)
  const [chosen] = meant
  if (chosen === undefined || meant.length > 1) {
    for (const one of meant.length > 1 ? meant : all) output.problem(linesOf(one, nowMs()).join('\n'))
    throw refusal(wrongChoice(from, meant.length))
  }
  const { account, ledger, cwd } = chosen
  return { account, ledger, cwd, invocation: resumed(chosen, { invocation, surroundings }) }
}

function wrongChoice(from: string | null, count: number): string {
  const which = from === null ? '' : ` from ${display(from)}`
  if (count === 0) return `migrate --resume: no migration${which} is unfinished`
  const how = from === null ? 'name its FROM: popfetch migrate --resume FROM' : 'give its command again'
  return `migrate --resume: ${count} migrations${which} are unfinished: ${how}`
}

async function unfinished(invocation: MigrateInvocation, surroundings: Surroundings): Promise<readonly Found[]> {
  const { output, rooms, env } = surroundings
  const { unfinishedMigrations } = await import('../../../migrate/unfinished.ts')
  const { openLedger } = await rooms.ledger()
  const places = await statePlaces(invocation, surroundings)
  const { unfinished: list, problems } = await unfinishedMigrations(places, (place) =>
    openLedger(place, { env, readOnly: true }),
  )
  for (const problem of problems) output.problem(`warning: ${problem}`)
  return list.flatMap((one) => {
    const found = remembered(one.memo)
    return found === null ? [] : [{ ...one, ...found }]
  })
}

/** The ledger of the configuration, if there is one, and the usual one: a mailbox by URL needs no configuration. */
async function statePlaces(invocation: MigrateInvocation, surroundings: Surroundings): Promise<readonly StatePlace[]> {
  const usual = inFile(usualStatePath(surroundings.env))
  try {
    const { statePath, postgres } = await outlineOf(invocation, surroundings)
    const isUsual = postgres === null && statePath === usual.statePath
    return [{ statePath, postgres }, ...(invocation.state === null && !isUsual ? [usual] : [])]
  } catch (error) {
    const isConfiguration = error instanceof PopfetchError && error.code === 'ERR_CONFIG'
    if (!isConfiguration || invocation.config !== null) throw error
    return [usual]
  }
}

function fromOf({ account, invocation }: Found): string {
  return invocation.pair?.from ?? account
}

function toOf({ invocation }: Found): string {
  return invocation.pair?.to ?? 'where it delivers'
}

function linesOf(one: Found, nowMs: number): readonly string[] {
  const { sinceMs, known, own, error, invocation } = one
  const moved = own ? `, ${counted(known, 'message')} moved or begun` : ''
  return [
    `${display(fromOf(one))} → ${display(toOf(one))}: begun ${span(nowMs - sinceMs)} ago${moved}`,
    ...(error === null ? [] : [`  its last session ended early: ${error}`]),
    `  to go on: ${commandOf(invocation)}`,
  ]
}

function jsonOf(one: Found): object {
  const { account, sinceMs, known, own, error, invocation } = one
  const common = { account, from: fromOf(one), to: invocation.pair?.to ?? null, since: iso(sinceMs) }
  return { ...common, messages: own ? known : null, error, command: commandOf(invocation) }
}
