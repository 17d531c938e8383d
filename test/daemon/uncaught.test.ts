import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Uncaught } from '../../src/daemon/uncaught.ts'
import { openLedger } from '../../src/ledger/sqlite/open.ts'
import { silentLog } from '../../src/log.ts'
import { Poller } from '../../src/poll/poller.ts'
import { ended } from '../cli/child.ts'
import { Scene } from './scene.ts'
import { BY_PERSON } from '../support/poll-options.ts'

describe('what is thrown past every promise', () => {
  test('in one account’s work ends that poll, and the others go on; from nowhere, or too often, it ends the process (N005)', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'popfetch-thrown-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const child = spawn(process.execPath, [join(import.meta.dirname, 'throwing.ts'), directory], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const { code, stdout, stderr } = await ended(child)
    expect({ code, stderr }).toEqual({ code: 70, stderr: '' })
    const said = stdout.split('\n').filter(Boolean)
    expect(said).toContain('bad: thrown by a timer')
    expect(said).toContain('bad: rejected and not awaited')
    expect(said.filter((line) => line === 'good: ok').length).toBeGreaterThan(1)
    expect(said.at(-1)).toBe('not contained: from nowhere')
  })

  test('is not contained any more after twenty times in an hour', async () => {
    await using scene = await Scene.create()
    scene.fill(1)
    const configuration = await scene.load()
    const [work] = configuration.accounts
    await using ledger = await openLedger(configuration.statePath)
    const told: string[] = []
    let nowMs = 0
    const uncaught = new Uncaught({ thrown: (name) => void told.push(name) }, () => nowMs)
    const contained: boolean[] = []
    const observer = {
      progress: () => {},
      note: () => {
        if (contained.length > 0) return
        for (let times = 0; times < 21; times++) contained.push(uncaught.contain(new Error()))
        nowMs += 3_600_000
        contained.push(uncaught.contain(new Error()))
      },
    }
    const { signal } = new AbortController()
    await using poller = new Poller(configuration, { ledger, observer, log: silentLog, env: {}, signal })
    expect(await poller.poll(work!, BY_PERSON)).toMatchObject({ outcome: 'ok', delivered: 1 })
    expect(contained).toEqual([...Array.from({ length: 20 }, () => true), false, true])
    expect(new Set(told)).toEqual(new Set(['work']))
  })
})
