// The planner at a poll that finds nothing new: fifty thousand delivered messages, none due to be deleted.
import type { KnownMessage } from '../../../src/ledger/ledger.ts'
import { Planner, type Policy } from '../../../src/poll/plan/plan.ts'
import type { Work } from './rate.ts'

const MESSAGES = 50_000
const NOW_MS = Date.UTC(2026, 0, 1)

const policy: Policy = {
  delete: { kind: 'age', ageMs: 30 * 86_400_000 },
  first: { kind: 'all' },
  limit: null,
  maxSizeBytes: null,
  sessionLimit: 5_000,
  shows: () => false,
  isPaused: () => false,
  all: false,
  skippedToo: false,
  markSeen: false,
  restored: false,
  eager: false,
}

const pairs = Array.from({ length: MESSAGES }, (_, index) => {
  const entry = { index, number: index + 1, uidl: `${1_700_000_000 + index}.abcdef`, copy: 0, sizeBytes: 4_096 }
  const known: KnownMessage = {
    state: 'delivered',
    firstSeenMs: NOW_MS - 1_000,
    listedBytes: 4_096,
    receivedBytes: 4_096,
    fingerprint: null,
    digest: null,
    attempts: 0,
    retryAfterMs: 0,
    deletion: null,
    harm: null,
    from: null,
    subject: null,
    deletions: 0,
    reason: null,
    goneSinceMs: null,
    deliveries: [],
  }
  return { entry, known }
})

export const planning: readonly Work[] = [
  {
    name: 'plan, 50000 known',
    unit: 'entries/s',
    amount: MESSAGES,
    round: () => {
      const planner = new Planner(policy, MESSAGES, true, NOW_MS, NOW_MS)
      for (const { entry, known } of pairs) planner.add(entry, known)
      if (planner.finish().skipped !== MESSAGES) throw new Error('the plan does not skip what is known')
    },
  },
]
