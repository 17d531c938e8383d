// What a poll is asked for where nothing special is asked for.
import type { PollOptions } from '../../src/poll/report.ts'

/** As the daemon and cron poll. */
export const BY_ITSELF: PollOptions = {
  dryRun: false,
  limit: null,
  all: false,
  acceptNewIds: false,
  markSeen: false,
  yes: false,
  eager: false,
}

/** A person named the account, or sits at a terminal. */
export const BY_PERSON: PollOptions = { ...BY_ITSELF, eager: true }
