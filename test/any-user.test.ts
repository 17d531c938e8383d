// The suite is run by whoever has a clone. test/servers/any-user.test.ts runs a part of it as another user.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** These speak of other users, or of no file at all. */
const OF_OTHERS: ReadonlySet<string> = new Set([
  'config/load.test.ts',
  'package.test.ts',
  'servers/cyrus.ts',
  'servers/unpacked.ts',
])

test('no test takes it for granted who runs it: none has the number of a user written in (B2)', () => {
  const files = globSync('**/*.ts', { cwd: import.meta.dirname }).filter((file) => !OF_OTHERS.has(file))
  const written = files.filter((file) =>
    /\buid: *(?:0|[1-9]\d{2,})\b/.test(readFileSync(join(import.meta.dirname, file), 'utf8')),
  )
  expect(written).toEqual([])
})
