// What a poll adds to the counts of its day.
import { expect, test } from 'vitest'
import { dayCounts } from '../../../src/poll/account/day.ts'

const NOW = 1.8e12
const QUIET = { delivered: 0, bytes: 0 }
const none = { delivered: 0, bytes: 0, failures: 0, longestWaitMs: 0 }
const waiting = { deferredSince: String(NOW - 5000) }

const ROWS = [
  ['nothing came: nothing', QUIET, { failures: 0, facts: {} }, {}, 0, null],
  ['mail came', { delivered: 2, bytes: 900 }, { failures: 0, facts: {} }, {}, 0, { ...none, delivered: 2, bytes: 900 }],
  ['it failed', QUIET, { failures: 2, facts: {} }, {}, 3, { ...none, failures: 1 }],
  ['it still fails for a destination that is left alone', QUIET, { failures: 2, facts: {} }, {}, 2, null],
  ['it works again', QUIET, { failures: 2, facts: {} }, {}, 0, null],
  ['mail waits as before', QUIET, { failures: 0, facts: waiting }, {}, 0, { ...none, longestWaitMs: 5000 }],
  ['mail waits from now on', QUIET, { failures: 0, facts: {} }, waiting, 0, { ...none, longestWaitMs: 5000 }],
  ['it waits no more', QUIET, { failures: 0, facts: waiting }, { deferredSince: null }, 0, null],
  ['it waits since a time to come', QUIET, { failures: 0, facts: {} }, { deferredSince: String(NOW + 9) }, 0, null],
] as const

test.each(ROWS)('%s', (_, tally, before, facts, failures, added) => {
  expect(dayCounts(tally, { before, facts, failures }, NOW)).toEqual(added)
})
