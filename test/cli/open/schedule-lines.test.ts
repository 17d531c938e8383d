import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { systemdUnit } from '../../../src/cli/open/schedule-lines.ts'
import { processHost } from '../../../src/cli/surroundings.ts'

const ROOT = path.join(import.meta.dirname, '../../..')

function unitOf(uid: number): string {
  const place = { configurationFile: '/etc/popfetch/config.yaml', state: null }
  return systemdUnit(place, { host: processHost(() => {}), env: {}, uid })
}

const example = (name: string): string => readFileSync(path.join(ROOT, 'examples/systemd', name), 'utf8')

/** The units that a name is ordered after, and those that it pulls in. */
function named(unit: string, key: 'After' | 'Wants'): readonly string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].flatMap(([, names = '']) => names.split(' '))
}

test.each([
  ['of the system that is printed', unitOf(0)],
  ['of the daemon in the examples', example('popfetch.service')],
  ['of one poll in the examples', example('popfetch-poll.service')],
])('the unit %s starts after the clock was set, and does not pull in what sets it (S040)', (_, unit) => {
  expect(named(unit, 'After')).toEqual(['network-online.target', 'time-sync.target'])
  expect(named(unit, 'Wants')).toEqual(['network-online.target'])
  expect(unit).toContain('systemctl enable systemd-time-wait-sync')
})

test.each([
  ['that is printed', unitOf(1000)],
  ['in the examples', example('user/popfetch.service')],
])('the unit of a user %s names no target that only the system knows', (_, unit) => {
  expect([...named(unit, 'After'), ...named(unit, 'Wants')]).toEqual([])
})
