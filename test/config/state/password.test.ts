// The password of a database: where it is read, and what is said when it cannot be had.
import { chmod, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { databasePassword, passwordIn } from '../../../src/config/state/password.ts'
import { SecretText } from '../../../src/config/values/secret.ts'
import { redactor } from '../../../src/redact.ts'
import { Scene } from '../scene.ts'

const PLACE = { host: 'db.example.org', port: 5432, user: 'popfetch', database: 'mail' }
const POSTGRES = { ...PLACE, schema: 'popfetch', tls: false, password: null, ca: null, key: null, formerKey: null }

describe('in a file of PGPASSFILE', () => {
  test.each([
    ['the whole line', 'db.example.org:5432:mail:popfetch:right', 'right'],
    ['stars', '*:*:*:*:right', 'right'],
    ['the first that fits', 'x:*:*:*:wrong\n*:*:mail:popfetch:right\n*:*:*:*:later', 'right'],
    ['a colon and a backslash in it', String.raw`*:*:*:*:a\:b\\c:d`, String.raw`a:b\c:d`],
    ['a comment before it', '# *:*:*:*:wrong\r\n*:*:*:*:right\r\n', 'right'],
    ['another port', '*:5433:*:*:wrong', null],
    ['another user', '*:*:*:other:wrong', null],
    ['another database', '*:*:other:*:wrong', null],
    ['too few fields', '*:*:*:wrong', null],
    ['no password', '*:*:*:*:', null],
  ])('%s', (_, text, password) => {
    expect(passwordIn(text, PLACE)).toBe(password)
  })

  test('a socket is its folder, or localhost', () => {
    const place = { ...PLACE, host: '/run/pg' }
    expect(passwordIn('/run/pg:*:*:*:right', place)).toBe('right')
    expect(passwordIn('localhost:*:*:*:right', place)).toBe('right')
    expect(passwordIn('localhost:*:*:*:right', PLACE)).toBeNull()
  })
})

test('that of the configuration goes first, then that of PGPASSFILE; both are masked from then on', async () => {
  await using scene = await Scene.create()
  const file = scene.path('pgpass')
  await writeFile(file, '*:*:*:*:from-the-file\n', { mode: 0o600 })
  const env = { ...scene.env, PGPASSFILE: file }
  expect(await databasePassword({ ...POSTGRES, password: new SecretText('from-the-key') }, env)).toBe('from-the-key')
  expect(await databasePassword(POSTGRES, env)).toBe('from-the-file')
  expect(await databasePassword(POSTGRES, scene.env)).toBeNull()
  expect(redactor.redact('from-the-key, from-the-file')).not.toMatch(/from-the/)
})

test('where it cannot be had, that concerns the whole process, and says why', async () => {
  await using scene = await Scene.create()
  const missing = { kind: 'env', name: 'NOT_SET' } as const
  await expect(databasePassword({ ...POSTGRES, password: missing }, scene.env)).rejects.toMatchObject({
    code: 'ERR_SECRET',
    scope: 'process',
    message: expect.stringContaining('reading the password of the database from the environment variable NOT_SET'),
  })
  const file = scene.path('pgpass')
  const fromFile = (): Promise<unknown> => databasePassword(POSTGRES, { ...scene.env, PGPASSFILE: file })
  await expect(fromFile()).rejects.toThrow(/pgpass \(\$PGPASSFILE\): it does not exist/)
  await writeFile(file, '*:*:*:*:x\n', { mode: 0o600 })
  await chmod(file, 0o644)
  await expect(fromFile()).rejects.toMatchObject({ code: 'ERR_SECRET', scope: 'process' })
})
