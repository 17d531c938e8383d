// In which order accounts are shown, to people: those that need one first. Pure.
import { LONG_MS } from './attention.ts'
import type { AccountStatus } from './account.ts'

export type Weight = 'bad' | 'doubtful' | 'plain'

/** A failure is bad, and so is a poll that hangs; a long time without success is doubtful. An account that is no longer
 *  configured is neither. */
export function weightOf({ record, configured, planned, pause }: AccountStatus, nowMs: number): Weight {
  if (pause !== null) return 'doubtful'
  if (planned?.overdue === true) return 'bad'
  if (record === null || !configured) return 'plain'
  if (record.failures > 0) return 'bad'
  return record.lastSuccessMs !== null && nowMs - record.lastSuccessMs > LONG_MS ? 'doubtful' : 'plain'
}

/** Is there anything to be told of it? */
export function isNotable(status: AccountStatus, nowMs: number): boolean {
  const { waiting, refused, held, undeleted } = status.unsettled
  return weightOf(status, nowMs) !== 'plain' || waiting + refused + held + undeleted > 0
}

/** The bad ones, the doubtful ones, those of which messages are told, the others: each in the order in which they came. */
export function inOrder(accounts: readonly AccountStatus[], nowMs: number): readonly AccountStatus[] {
  const [bad, doubtful, notable, others]: AccountStatus[][] = [[], [], [], []]
  for (const status of accounts) {
    const weight = weightOf(status, nowMs)
    const list = weight === 'bad' ? bad : weight === 'doubtful' ? doubtful : isNotable(status, nowMs) ? notable : others
    list?.push(status)
  }
  return [bad, doubtful, notable, others].flatMap((list) => list ?? [])
}
