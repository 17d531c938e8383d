// Finding a delivery to an mbox again.
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { factsOf } from '../contract-scene.ts'
import { attempt, directory, inFile, large, message, never, open, read, SMALL } from './scene.ts'

describe('recall', () => {
  test('finds what arrived, and reads back what was received', async () => {
    const folder = directory()
    const file = path.join(folder, 'in')
    await using mbox = open(file)
    const sent = [
      SMALL,
      Buffer.from('Subject: x\r\n\r\nFrom a\r\n>From b\r\n\r\n'),
      large(),
      Buffer.from('no end'),
      Buffer.alloc(0),
    ]
    const tried = sent.map((bytes) => ({ ...attempt(), bytes }))
    for (const { bytes, ...one } of tried) await mbox.deliver(one, inFile(folder, bytes), never)
    await using later = open(file)
    for (const { bytes, ...one } of tried) {
      const found = await later.recall(one, never)
      expect(found?.text).toBe(file)
      // A lone LF, as in `large`, cannot be told from a line end.
      if (bytes.length < 1_000_000) {
        expect(found?.received).toEqual(factsOf(message(bytes)))
      } else expect(found?.received).not.toBeNull()
    }
    expect(await later.recall(attempt(), never)).toBeNull()
  })

  test('finds it where a mail program has moved it or added fields, between two recalls as well', async () => {
    const file = path.join(directory(), 'in')
    await using mbox = open(file)
    const tried = [attempt(), attempt()]
    for (const one of tried) await mbox.deliver(one, message(SMALL), never)
    expect(await mbox.recall(tried[0]!, never)).not.toBeNull()
    const [, first = '', second = ''] =
      read(file).split(/(?=^From )/m).length === 2 ? ['', ...read(file).split(/(?=^From )/m)] : []
    fs.writeFileSync(file, `${second}${first.replace('\n\nbody', '\nStatus: RO\n\nbody')}`)
    expect(await mbox.recall(tried[1]!, never)).toMatchObject({ received: { digest: message(SMALL).digest } })
    expect(await mbox.recall(tried[0]!, never)).toMatchObject({ received: null })
  })

  test('does not find half a message', async () => {
    const file = path.join(directory(), 'in')
    await using mbox = open(file)
    const tried = attempt()
    await mbox.deliver(tried, message(SMALL), never)
    fs.truncateSync(file, fs.statSync(file).size - 3)
    expect(await mbox.recall(tried, never)).toBeNull()
  })

  test('believes no marker but the one that popfetch put on top', async () => {
    const file = path.join(directory(), 'in')
    await using mbox = open(file)
    const wanted = attempt()
    const forged = `X-Popfetch-Delivery: ${wanted.intent} 1\r\n\r\nFrom x\r\nX-Popfetch-Delivery: ${wanted.intent} 1\r\n\r\n`
    await mbox.deliver(attempt(), message(Buffer.from(forged)), never)
    expect(await mbox.recall(wanted, never)).toBeNull()
  })
})
