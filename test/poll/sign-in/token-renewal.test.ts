// Access tokens: refused ones are read again once, those that run out in mid-session are renewed (P067, P077).
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Action } from '../../support/pop3-server.ts'
import { Scene, upTo } from '../scene.ts'

/** A scene whose token command gives one of `tokens` after the other, then the last one again; the server takes `good`. */
async function tokenScene(tokens: readonly string[], good: string): Promise<Scene> {
  const scene = await Scene.create()
  writeFileSync(scene.path('tokens'), tokens.join('\n'))
  const script =
    'f="$(dirname "$0")/tokens"; head -n1 "$f"; [ "$(wc -l < "$f")" -eq 0 ] || sed -i 1d "$f"; echo >> "$f.runs"'
  writeFileSync(scene.path('get-token'), `#!/bin/sh\n${script}\n`, { mode: 0o700 })
  scene.token = `{ command: ["${scene.path('get-token')}"] }`
  scene.server.mailbox('alice', good)
  scene.server.capabilities = {
    before: ['SASL PLAIN XOAUTH2'],
    afterTls: [],
    afterLogin: ['UIDL', 'TOP', 'PIPELINING'],
  }
  return scene
}

const tokensRead = (scene: Scene): number => readFileSync(scene.path('tokens.runs')).length

const signIns = (scene: Scene): readonly string[] => scene.server.journal.of('auth').map(({ text }) => text)

describe('a token that is refused', () => {
  test('is read again, and the fresh one tried once (P067)', async () => {
    await using scene = await tokenScene(['old', 'new'], 'new')
    scene.fill(2)
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2, error: null })
    expect(signIns(scene)).toEqual(['refused XOAUTH2', 'accepted XOAUTH2'])
    expect(scene.notes).toContain('the token was refused: continuing with a new one')
  })

  test('twice is refused', async () => {
    await using scene = await tokenScene(['old', 'older', 'new'], 'new')
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_AUTH' } })
    expect(signIns(scene)).toEqual(['refused XOAUTH2', 'refused XOAUTH2'])
    expect(tokensRead(scene)).toBe(2)
  })

  test('is not tried again when there is no other', async () => {
    await using scene = await tokenScene(['old'], 'new')
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_AUTH' } })
    expect(signIns(scene)).toEqual(['refused XOAUTH2'])
  })

  test('is no password: a refused one of those is not tried again (P052)', async () => {
    await using scene = await Scene.create()
    scene.server.mailbox('alice', 'another')
    expect(await scene.poll()).toMatchObject({ outcome: 'failed', error: { code: 'ERR_AUTH' } })
    expect(signIns(scene)).toHaveLength(1)
  })

  test('each time another one still makes the polls pause (N009)', async () => {
    // No words: in this process they are masked from now on.
    const tokens = ['token-1', 'token-1', 'token-2', 'token-2', 'token-3', 'token-3', 'token-4']
    await using scene = await tokenScene(tokens, 'new')
    for (const _ of upTo(3)) await scene.poll({ eager: false })
    expect(signIns(scene)).toHaveLength(3)
    expect(await scene.poll({ eager: false })).toMatchObject({ outcome: 'paused' })
    expect(signIns(scene)).toHaveLength(3)
  })

  test('and that its command renews is noticed at once, also while the account is paused (N042)', async () => {
    await using scene = await tokenScene(['token-5'], 'token-6')
    scene.fill(2)
    for (const outcome of ['failed', 'failed', 'failed', 'paused', 'paused'])
      expect(await scene.poll({ eager: false })).toMatchObject({ outcome, error: { code: 'ERR_AUTH' } })
    expect(signIns(scene)).toHaveLength(3)
    writeFileSync(scene.path('tokens'), 'token-6')
    expect(await scene.poll({ eager: false })).toMatchObject({ outcome: 'ok', delivered: 2, error: null })
    expect(signIns(scene)).toHaveLength(4)
  })

  test('and is in a file that is rewritten is noticed at once (N042)', async () => {
    await using scene = await tokenScene([], 'token-8')
    writeFileSync(scene.path('token'), 'token-7', { mode: 0o600 })
    scene.token = `{ file: ${scene.path('token')} }`
    for (const outcome of ['failed', 'failed', 'failed', 'paused'])
      expect(await scene.poll({ eager: false })).toMatchObject({ outcome })
    writeFileSync(scene.path('token'), 'token-8')
    expect(await scene.poll({ eager: false })).toMatchObject({ outcome: 'ok' })
  })

  test('and another one each time is tried once the command has settled (N009, N042)', async () => {
    const tokens = ['token-11', 'token-11', 'token-12', 'token-12', 'token-13', 'token-13', 'token-14', 'token-15']
    await using scene = await tokenScene(tokens, 'token-15')
    const outcomes: string[] = []
    for (const _ of upTo(6)) outcomes.push((await scene.poll({ eager: false })).outcome)
    expect(outcomes).toEqual(['failed', 'failed', 'failed', 'paused', 'paused', 'ok'])
  })

  test('and cannot be read again is told as that: the provider took the grant back (P078)', async () => {
    await using scene = await tokenScene(['old'], 'new')
    const tool = scene.path('get-token')
    writeFileSync(tool, '#!/bin/sh\nmkdir "$0.once" 2>/dev/null && echo old && exit\necho invalid_grant >&2; exit 1\n')
    expect(await scene.poll()).toMatchObject({
      outcome: 'failed',
      error: { code: 'ERR_SECRET', message: expect.stringContaining('invalid_grant') },
    })
    expect(signIns(scene)).toEqual(['refused XOAUTH2'])
  })

  test('is read again by check too', async () => {
    await using scene = await tokenScene(['old', 'new'], 'new')
    scene.fill(1)
    expect(await scene.check()).toMatchObject({ outcome: 'ok', waiting: 1, new: 1 })
  })
})

describe('a token that runs out in mid-session', () => {
  test.each<Action>([
    '-ERR AccessTokenExpired: the session is over',
    { answer: '-ERR Session expired, please log in again', next: 'drop' },
  ])('is renewed, and the rest fetched, nothing twice (P077): %j', async (answer) => {
    await using scene = await tokenScene(['first', 'second'], 'first')
    scene.fill(6)
    scene.account = ['delete: after-delivery']
    scene.server.faults.onCommand = (verb, args, { id }) => {
      if (id !== 1 || verb !== 'RETR' || args !== '3') return 'serve'
      scene.server.mailbox('alice', 'second')
      return answer
    }
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 6, deleted: 6, deferred: 0, error: null })
    expect(scene.subjects()).toEqual(upTo(6))
    expect(scene.left()).toEqual([])
    expect(scene.notes).toContain('the token has expired: continuing with a new one')
    expect(scene.server.journal.commands().filter((line) => line === 'QUIT')).toHaveLength(1)
  })

  test('again and again without a single message is given up', async () => {
    await using scene = await tokenScene(['first', 'second', 'third'], 'first')
    scene.fill(2)
    const turns = ['second', 'third', 'fourth']
    scene.server.faults.onCommand = (verb) => {
      if (verb !== 'RETR') return 'serve'
      scene.server.mailbox('alice', turns.shift())
      return { answer: '-ERR AccessTokenExpired', next: 'drop' }
    }
    const report = await scene.poll()
    expect(report).toMatchObject({ outcome: 'failed', delivered: 0, error: { code: 'ERR_POP3_REPLY', retry: 'soon' } })
    expect(signIns(scene)).toEqual(['accepted XOAUTH2', 'accepted XOAUTH2'])
  })

  test('at the end leaves nothing undeleted', async () => {
    await using scene = await tokenScene(['first', 'second'], 'first')
    scene.fill(2)
    scene.account = ['delete: after-delivery']
    scene.server.faults.onCommand = (verb, _args, { id }) => {
      if (id !== 1 || verb !== 'QUIT') return 'serve'
      scene.server.mailbox('alice', 'second')
      return { answer: '-ERR AccessTokenExpired', next: 'drop' }
    }
    expect(await scene.poll()).toMatchObject({ outcome: 'ok', delivered: 2, deleted: 2 })
    expect(scene.left()).toEqual([])
    expect(scene.subjects()).toEqual([0, 1])
  })
})
