// Why the answer of `accountsFrom` was not taken: told once, remembered while it lasts, gone when it is well.
import { expect, test } from 'vitest'
import { PopfetchError, type Retry } from '../../src/errors.ts'
import type { Log, LogFacts } from '../../src/log.ts'
import { askedTrouble, exitOfAsked, tellTrouble } from '../../src/status/asked-trouble.ts'
import { HOUR, NOW } from './scene.ts'

class Around {
  memo: string | null = null
  nowMs = NOW
  readonly logged: string[] = []
  readonly told: string[] = []
  readonly ledger = {
    memo: () => Promise.resolve(this.memo),
    changeMemo: (_: string, change: (text: string | null) => string | null) => {
      this.memo = change(this.memo)
      return Promise.resolve(this.memo)
    },
  }
  readonly log = {
    info: (text: string, _facts?: LogFacts) => void this.logged.push(text),
    error: (text: string, _facts?: LogFacts) => void this.logged.push(text),
  } as unknown as Log

  async comes(trouble: PopfetchError | null, always = false): Promise<void> {
    const { ledger, log, nowMs } = this
    await tellTrouble(trouble, { ledger, log, nowMs }, { always, tell: (text) => void this.told.push(text) })
  }
}

const trouble = (message: string, retry: Retry = 'soon'): PopfetchError =>
  new PopfetchError('ERR_ACCOUNTS', message, { scope: 'process', retry })

test('it is told once, remembered since it began in its newest words, and forgotten when all is well', async () => {
  const around = new Around()
  await around.comes(trouble('away'))
  around.nowMs += HOUR
  await around.comes(trouble('cut'))
  expect(around.told).toEqual(['away'])
  expect(await askedTrouble(around.ledger)).toEqual({ sinceMs: NOW, message: 'cut', retry: 'soon' })
  await around.comes(null)
  await around.comes(null)
  expect(await askedTrouble(around.ledger)).toBeNull()
  expect(around.logged).toEqual(['away', 'accountsFrom works again'])
})

test('one that wants somebody is news after one that passes; whoever looks on is told each time', async () => {
  const around = new Around()
  await around.comes(trouble('away'))
  await around.comes(trouble('no YAML', 'never'))
  await around.comes(trouble('no YAML', 'never'), true)
  expect(around.told).toEqual(['away', 'no YAML', 'no YAML'])
  expect(around.logged).toEqual(['away', 'no YAML'])
  const asked = await askedTrouble(around.ledger)
  expect([asked?.sinceMs, asked && exitOfAsked(asked)]).toEqual([NOW, 78])
})

test.each(['soon', 'never', '{', 'null', '[]', '{"retry":7,"sinceMs":"x","message":[]}'])(
  'a memo %j of another version is a trouble of which little is known',
  async (memo) => {
    const around = new Around()
    around.memo = memo
    const asked = await askedTrouble(around.ledger)
    expect(asked).toMatchObject({ sinceMs: null, message: expect.stringContaining('accountsFrom') as string })
    await around.comes(trouble('away', memo === 'never' ? 'never' : 'soon'))
    expect(around.told).toEqual([])
    expect(await askedTrouble(around.ledger)).toMatchObject({ sinceMs: NOW, message: 'away' })
  },
)

test('what a program writes is safe to print', async () => {
  const around = new Around()
  await around.comes(trouble(`\u202e\u001b[31m${'x'.repeat(9000)}`))
  const { message = '' } = (await askedTrouble(around.ledger)) ?? {}
  expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  expect(message.length).toBeLessThan(1100)
})
