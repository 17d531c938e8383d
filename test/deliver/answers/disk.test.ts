// Every row of the table of disks, and its neighbours. Each errno that the system knows leads somewhere, and only one of them
// blames a message.
import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { concludeDisk } from '../../../src/deliver/answers/disk.ts'

const ROWS: Readonly<Record<string, readonly string[]>> = {
  'ROOM destination 73': ['ENOSPC', 'EDQUOT', 'RESERVE'],
  'ACT destination 73': [
    'EACCES',
    'EPERM',
    'EROFS',
    'ENOENT',
    'ENOTDIR',
    'ELOOP',
    'EXDEV',
    'ENAMETOOLONG',
    'EISDIR',
    'GONE',
  ],
  'ACT destination 75': ['EIO', 'ESTALE', 'ETIMEDOUT', 'EMFILE', 'ENFILE', 'SILENCE', 'LOCKED'],
  'FORM message 75': ['EFBIG'],
}
const rows = Object.entries(ROWS).flatMap(([leads, names]) => names.map((name) => [name, leads] as const))

function told(errno: string | null): string {
  const { conclusion, scope, exit } = concludeDisk(errno)
  return `${conclusion} ${scope} ${exit}`
}

describe('a failed call to the disk', () => {
  it.each(rows)('%s is %s', (errno, leads) => {
    expect(told(errno)).toBe(leads)
  })

  it('that nobody knows is about the message, and passes', () => {
    const known = new Set(rows.map(([name]) => name))
    const others = Object.keys(constants.errno).filter((name) => !known.has(name))
    expect(others.length).toBeGreaterThan(50)
    expect(new Set([null, '', 'enospc', 'ENOSPC ', ...others].map(told))).toEqual(new Set(['TEMP message 75']))
  })

  it('is equal to another with the same name only', () => {
    const same = rows.map(([name]) => concludeDisk(name).same)
    expect(new Set(same).size).toBe(same.length)
  })

  it('never refuses a message but for its size, and never holds one', () => {
    const refused = rows.filter(([name]) => concludeDisk(name).verdict !== 'temporary')
    expect(refused.map(([name]) => name)).toEqual(['EFBIG'])
  })
})
