// The order of DESIGN 4.2, read from the log of a run's system calls. It is: attempt recorded → RETR → file synced → linked →
// new/ synced → recorded → DELE → QUIT, "recorded" meaning that the ledger's log was synced after it was written. Pure.
import path from 'node:path'
import type { Call } from './strace.ts'

export interface Delivered {
  /** In the server's listing. */
  readonly number: number
  /** In new/. */
  readonly file: string
}

export interface Places {
  readonly maildir: string
  /** The ledger's write-ahead log. */
  readonly log: string
}

const MAKES: ReadonlySet<string> = new Set(['mkdir', 'link', 'rename'])
const INTENT = /I([0-9a-f]{16})\./

/** One line for each thing out of order; `deleted`: a DELE is expected of each. */
export function disorder(
  calls: readonly Call[],
  delivered: readonly Delivered[],
  places: Places,
  deleted: boolean,
): string[] {
  const found: string[] = []
  const quit = sent(calls, 'QUIT')
  for (const { number, file } of delivered) {
    const order = steps(calls, number, file, places)
    for (const [at, step] of order.entries()) {
      if (step.call === undefined) {
        if (deleted || step.name !== 'DELE') found.push(`${file}: no ${step.name}`)
        continue
      }
      const before = order.slice(0, at).findLast(({ call }) => call !== undefined)
      if (before?.call !== undefined && step.call.began <= before.call.ended) {
        found.push(`${file}: ${step.name} began before the end of ${before.name}`)
      }
    }
    const dele = sent(calls, `DELE ${number}`)
    if (dele !== undefined && (quit === undefined || quit.began < dele.began)) found.push(`${file}: QUIT before DELE`)
  }
  return found
}

/** New folders and the new ledger: their names are durable before the first message is asked for. */
export function nameDisorder(calls: readonly Call[], names: readonly string[]): string[] {
  const retr = sent(calls, 'RETR 1')
  return names.flatMap((name) => {
    const made = calls.find(({ args, failed, name: call }) => MAKES.has(call) && !failed && args.includes(`"${name}"`))
    if (made === undefined) return [`${name}: not made`]
    const synced = firstSync(calls, path.dirname(name), made.ended)
    return synced !== undefined && retr !== undefined && synced.ended < retr.began
      ? []
      : [`${name}: not synced in time`]
  })
}

/** A new ledger: all of it was written, then synced, and only then it got its name. */
export function draftDisorder(calls: readonly Call[], ledger: string): string[] {
  const named = calls.find(({ name, args, failed }) => MAKES.has(name) && !failed && args.includes(`"${ledger}"`))
  const draft = /"([^"]+\.new-[^"]+)"/.exec(named?.args ?? '')?.[1]
  if (named === undefined || draft === undefined) return ['the new ledger had no other name before']
  const written = calls.findLast((call) => isWrite(call, draft))
  if (written === undefined) return ['nothing was written to the new ledger']
  const synced = firstSync(calls, draft, written.ended)
  return synced !== undefined && synced.ended < named.began ? [] : ['the new ledger got its name before it was synced']
}

/** What recovery found in the Maildir: new/ synced → recorded. */
export function recallDisorder(calls: readonly Call[], files: readonly string[], { maildir, log }: Places): string[] {
  const synced = firstSync(calls, `${maildir}/new`, -1)
  if (synced === undefined) return ['new/ was not synced']
  return files.flatMap((file) => {
    const recorded = calls.find((call) => isWrite(call, log) && call.args.includes(`/new/${file}`))
    if (recorded === undefined) return [`${file}: not recorded`]
    return recorded.began > synced.ended ? [] : [`${file}: recorded before new/ was synced`]
  })
}

/** The last answer of the sink → recorded → the first DELE. */
export function relayDisorder(calls: readonly Call[], { log }: Places): string[] {
  const answer = calls.findLast(({ name, args }) => name === 'read' && /<socket:.*"250[ -].*queued/i.test(args))
  if (answer === undefined) return ['the sink did not answer']
  const recorded = calls.find((call) => isWrite(call, log) && call.began > answer.ended)
  const synced = recorded === undefined ? undefined : firstSync(calls, log, recorded.ended)
  const dele = calls.find(({ args }) => args.includes('<socket:') && /["\\]n?DELE 1\\r/.test(args))
  if (synced === undefined) return ['the last answer of the sink was never recorded']
  return dele === undefined || dele.began > synced.ended ? [] : ['DELE before the last answer of the sink was recorded']
}

function steps(calls: readonly Call[], number: number, file: string, { maildir, log }: Places) {
  const intent = INTENT.exec(file)?.[1] ?? 'no intent'
  const link = calls.find(
    ({ name, args, failed }) => name === 'link' && !failed && args.includes(`${maildir}/new/${file}"`),
  )
  const tmp = /"([^"]+)"/.exec(link?.args ?? '')?.[1] ?? 'no file'
  const written = calls.findLast((call) => isWrite(call, tmp))
  const attempt = calls.find((call) => isWrite(call, log) && call.args.includes(intent))
  const receipt = calls.find((call) => isWrite(call, log) && call.args.includes(`/new/${file}`))
  return [
    { name: 'record of the attempt', call: attempt === undefined ? undefined : firstSync(calls, log, attempt.ended) },
    { name: 'RETR', call: sent(calls, `RETR ${number}`) },
    { name: 'write', call: written },
    { name: 'fsync of the file', call: firstSync(calls, tmp, written?.ended ?? -1) },
    { name: 'link', call: link },
    { name: 'fsync of new/', call: firstSync(calls, `${maildir}/new`, link?.ended ?? -1) },
    { name: 'record of the delivery', call: receipt },
    { name: 'fsync of the record', call: receipt === undefined ? undefined : firstSync(calls, log, receipt.ended) },
    { name: 'DELE', call: sent(calls, `DELE ${number}`) },
  ] as const
}

function isWrite({ name, args }: Call, file: string): boolean {
  return (name === 'write' || name === 'writev' || name === 'pwrite64') && args.includes(`<${file}>`)
}

function firstSync(calls: readonly Call[], file: string, after: number): Call | undefined {
  return calls.find(
    ({ name, args, began, failed }) =>
      (name === 'fsync' || name === 'fdatasync') && !failed && began > after && args.endsWith(`<${file}>`),
  )
}

/** The call by which a command left, alone or among others. */
function sent(calls: readonly Call[], command: string): Call | undefined {
  return calls.find(
    ({ args }) =>
      args.includes('<socket:') && (args.includes(`"${command}\\r\\n`) || args.includes(`\\n${command}\\r\\n`)),
  )
}
