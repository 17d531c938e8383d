import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Gathering } from '../../../src/pop3/network/connection.ts'

function gathering() {
  const taken: Buffer[] = []
  return { taken, gathering: new Gathering((chunk) => taken.push(chunk)) }
}

describe('pieces from a TLS socket', () => {
  it('of one turn of the loop come as one, at its end', async () => {
    const { taken, gathering: pieces } = gathering()
    for (const text of ['+OK', ' hi', '\r\n']) pieces.add(Buffer.from(text))
    expect(taken).toEqual([])
    await turn()
    expect(taken.map(String)).toEqual(['+OK hi\r\n'])
    pieces.add(Buffer.from('+OK\r\n'))
    await turn()
    expect(taken.map(String)).toEqual(['+OK hi\r\n', '+OK\r\n'])
  })

  it('that make 64 KiB are not kept back, and what follows comes after them', async () => {
    const { taken, gathering: pieces } = gathering()
    for (let count = 0; count < 17; count++) pieces.add(Buffer.alloc(4096))
    expect(taken.map(({ length }) => length)).toEqual([65_536])
    await turn()
    expect(taken.map(({ length }) => length)).toEqual([65_536, 4096])
  })

  it('are there at once when asked for, and once', async () => {
    const { taken, gathering: pieces } = gathering()
    pieces.add(Buffer.from('-ERR bye\r\n'))
    pieces.flush()
    pieces.flush()
    await turn()
    expect(taken.map(String)).toEqual(['-ERR bye\r\n'])
  })
})
