import { describe, expect, it } from 'vitest'
import { scram } from '../../../src/pop3/sign-in/scram.ts'
import { EMPTY, textOf } from './exchanges.ts'

const pencil = { user: 'user', password: 'pencil' }
/** The example of RFC 7677 §3. */
const NONCE = 'rOprNGfwEbeRWgbNEkqO'
const FIRST = `r=${NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`
const FINAL = 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='

async function afterProof() {
  const exchange = scram('sha256', pencil, NONCE)
  await exchange.answer(Buffer.from(FIRST))
  return exchange
}

describe('SCRAM', () => {
  it('with SHA-256 says what RFC 7677 says', async () => {
    const exchange = scram('sha256', pencil, NONCE)
    expect(exchange).toMatchObject({ messages: 3, complaint: null })
    expect(String(exchange.initial)).toBe(`n,,n=user,r=${NONCE}`)
    expect(textOf(await exchange.answer(Buffer.from(FIRST)))).toBe(
      `c=biws,r=${NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
    )
    expect(await exchange.answer(Buffer.from(FINAL))).toEqual(EMPTY)
    expect(exchange.complaint).toBeNull()
  })

  it('with SHA-1 says what RFC 5802 says', async () => {
    const exchange = scram('sha1', pencil, 'fyko+d2lbbFgONRv9qkxdawL')
    const first = 'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096'
    expect(textOf(await exchange.answer(Buffer.from(first)))).toBe(
      'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    )
    expect(await exchange.answer(Buffer.from('v=rmF9pqV8S7suAoZWja4dJRkFsKQ='))).toEqual(EMPTY)
  })

  it('escapes what separates fields in a user name, and composes characters (P075)', () => {
    expect(String(scram('sha1', { user: 'a,b=u\u0308', password: 'x' }, 'n').initial)).toBe('n,,n=a=2Cb=3D\u00fc,r=n')
  })

  it('takes another number each time', () => {
    expect(scram('sha1', pencil).initial).not.toEqual(scram('sha1', pencil).initial)
  })

  it('sends its first message when it did not go along with AUTH, and when the server did not look at it (P065)', async () => {
    const exchange = scram('sha256', pencil, NONCE)
    expect(await exchange.answer(EMPTY)).toEqual(exchange.initial)
    expect(textOf(await exchange.answer(Buffer.from(FIRST)))).toContain('p=dHzbZapW')
  })

  it.each([
    ['a number that is not ours', FIRST.replace(NONCE, 'x'), 'not made from ours'],
    ['our number and nothing added', `r=${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`, 'not made from ours'],
    ['too few iterations', FIRST.replace('i=4096', 'i=4095'), 'it asks for 4095 iterations'],
    ['too many iterations', FIRST.replace('i=4096', 'i=1000001'), 'it asks for 1000001 iterations'],
    ['no iterations', FIRST.replace('i=4096', 'i=0'), 'does not belong'],
    ['no salt', FIRST.replace('W22ZaJ0SNY7soEsUEjb6gQ==', ''), 'does not belong'],
    ['a salt that is no base64', FIRST.replace('W22Z', 'W2!Z'), 'does not belong'],
    ['an extension that must be understood', `m=x,${FIRST}`, 'does not belong'],
    ['a prompt', 'Username:', 'does not belong'],
  ])('proves nothing to a server that answers with %s (P071)', async (_what, first, why) => {
    const answer = await scram('sha256', pencil, NONCE).answer(Buffer.from(first))
    expect(Buffer.isBuffer(answer)).toBe(false)
    expect(textOf(answer)).toContain(why)
  })

  it.each([
    ['another proof', FINAL.replace('6rri', '6rrj')],
    ['a proof cut short', FINAL.slice(0, 20)],
    ['no proof', 'v='],
    ['nothing', ''],
    ['something else', 'x=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='],
  ])('does not trust a server that ends with %s (P071)', async (_what, final) => {
    const exchange = await afterProof()
    expect(textOf(await exchange.answer(Buffer.from(final)))).toContain('did not prove that it knows the password')
  })

  it('lets a server say why it refuses, and then believes no success', async () => {
    const exchange = await afterProof()
    expect(await exchange.answer(Buffer.from('e=invalid-proof'))).toEqual(EMPTY)
    expect(exchange.complaint).toBe('invalid-proof')
  })

  it('has nothing to say after that', async () => {
    const exchange = await afterProof()
    await exchange.answer(Buffer.from(FINAL))
    expect(textOf(await exchange.answer(Buffer.from(FINAL)))).toContain('does not belong')
  })
})
