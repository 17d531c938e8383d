// Passwords that no old file has: asked for, or at the place that an option names.
import { expect, test } from 'vitest'
import { withPasswords } from '../../../../src/cli/commands/import/passwords.ts'
import type { Imported, ImportedAccount, ImportedSecret } from '../../../../src/setup/imported.ts'

const account = (user: string, secret: ImportedSecret, more: Partial<ImportedAccount> = {}): ImportedAccount => ({
  name: user,
  host: 'pop.example.net',
  port: 995,
  user,
  secret,
  secretKey: 'password',
  keys: {},
  deliver: [],
  warnings: [],
  remarks: [],
  off: false,
  seen: null,
  ...more,
})

const old: Imported = {
  settings: {},
  remarks: [],
  accounts: [
    account('known', { kind: 'text', text: 'kept' }),
    account('first', { kind: 'missing' }),
    account('token', { kind: 'missing' }, { secretKey: 'token' }),
    account('off', { kind: 'missing' }, { off: true }),
    account('second', { kind: 'missing' }),
  ],
}

const secretsOf = ({ accounts }: Imported): unknown => accounts.map(({ secret }) => secret)

test('are asked for, one after the other, where one is missing; who types nothing writes it down later', async () => {
  const questions: string[] = []
  const answers = [' typed ', '']
  const askSecret = (question: string): Promise<string> => {
    questions.push(question)
    return Promise.resolve(answers.shift() ?? '')
  }
  expect(secretsOf(await withPasswords(old, null, { askSecret }))).toEqual([
    { kind: 'text', text: 'kept' },
    { kind: 'text', text: ' typed ' },
    { kind: 'missing' },
    { kind: 'missing' },
    { kind: 'missing' },
  ])
  expect(questions).toEqual([
    'Password of first at pop.example.net (press Enter to add it later)',
    'Password of second at pop.example.net (press Enter to add it later)',
  ])
})

test.each([
  [{ env: 'PW' }, { kind: 'env', name: 'PW' }],
  [{ file: '/pw' }, { kind: 'file', path: '/pw' }],
  [{ command: 'pass show x' }, { kind: 'command', run: 'pass show x' }],
] as const)('are where %j says, for each account that has none', async (place, secret) => {
  expect(secretsOf(await withPasswords(old, place, null))).toEqual([
    { kind: 'text', text: 'kept' },
    secret,
    { kind: 'missing' },
    { kind: 'missing' },
    secret,
  ])
})

test('of many accounts are asked for the first twenty', async () => {
  let asked = 0
  const many = { ...old, accounts: Array.from({ length: 30 }, (_, at) => account(`u${at}`, { kind: 'missing' })) }
  const askSecret = (): Promise<string> => Promise.resolve(`pw${++asked}`)
  const { accounts } = await withPasswords(many, null, { askSecret })
  expect([asked, accounts[29]?.secret]).toEqual([20, { kind: 'missing' }])
})
