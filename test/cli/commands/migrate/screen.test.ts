import { expect, test } from 'vitest'
import { MigrationScreen } from '../../../../src/cli/commands/migrate/screen.ts'
import { Output } from '../../../../src/cli/output.ts'
import type { Surroundings } from '../../../../src/cli/surroundings.ts'
import { silentLog } from '../../../../src/log.ts'
import type { MigrationObserver } from '../../../../src/migrate/report.ts'
import type { Progress } from '../../../../src/poll/report.ts'
import { MemoryStream } from '../../streams.ts'

const at = (messages: number): Progress => ({
  stage: 'fetching',
  messages,
  totalMessages: 4000,
  bytes: messages * 1000,
  totalBytes: 4e6,
})

async function seen(verbose: boolean, work: (observer: MigrationObserver, clock: { nowMs: number }) => void) {
  const stderr = new MemoryStream()
  const clock = { nowMs: 0 }
  const surroundings = {
    output: new Output(new MemoryStream(), stderr),
    terminal: null,
    env: {},
    nowMs: () => clock.nowMs,
  } as unknown as Surroundings
  await MigrationScreen.during({ quiet: false, verbose }, surroundings, silentLog, (observer) => {
    work(observer, clock)
    return Promise.resolve()
  })
  return stderr.text
}

function minute(observer: MigrationObserver, clock: { nowMs: number }): void {
  for (let second = 0; second <= 40; second++) {
    clock.nowMs = second * 1000
    observer.progress('old-isp', at(second * 50), second > 20 ? 2 : 0)
  }
}

test('without a terminal, --verbose brings a line now and then', async () => {
  expect((await seen(true, minute)).split('\n')).toEqual([
    'old-isp: 750/4,000 messages  750.0 kB of 4.0 MB  50.0 kB/s  1 min 5 s left',
    'old-isp: 1,500/4,000 messages  1.5 MB of 4.0 MB  50.0 kB/s  50 s left  2 errors',
    '',
  ])
})

test('without a terminal and without --verbose nothing is said', async () => {
  expect(await seen(false, minute)).toBe('')
})
