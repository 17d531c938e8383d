// Addresses beyond ASCII (RFC 6531): SMTPUTF8 where it is offered, and only where an address needs it (D040).
import { expect, test } from 'vitest'
import type { Step } from '../../support/smtp-server.ts'
import { attempt, destination, failure, message, never, outcome, scripted } from './scene.ts'

const hello = (...offers: readonly string[]): readonly Step[] => [
  { send: '220 mx ESMTP' },
  { expect: 'EHLO host.example' },
  { send: ['250-mx', ...offers.map((offer) => `250-${offer}`), '250 SIZE 10000'].join('\r\n') },
]
const afterMail: readonly Step[] = [
  { send: '250 ok' },
  { expect: /^RCPT/ },
  { send: '250 ok' },
  { expect: 'DATA' },
  { send: '354 go on' },
  { expectUntil: '\r\n.\r\n' },
  { send: '250 ok' },
  { ignore: true },
]
const wire = (text: string): string => Buffer.from(text).toString('latin1')
const FROM_BEYOND = message(Buffer.from('Return-Path: <jörg@xn--mller-kva.example>\r\n\r\nx\r\n'))

test('a sender beyond ASCII is declared where the server takes it', async () => {
  const server = await scripted([
    ...hello('SMTPUTF8'),
    { expect: new RegExp(`^${wire('MAIL FROM:<jörg@xn--mller-kva.example> SMTPUTF8')} SIZE=\\d+$`) },
    ...afterMail,
  ])
  await destination(server.port).deliver(attempt(), FROM_BEYOND, never)
})

test('where the server does not, the usual sender is used', async () => {
  const server = await scripted([...hello(), { expect: /^MAIL FROM:<me@example.com> SIZE=\d+$/ }, ...afterMail])
  await destination(server.port).deliver(attempt(), FROM_BEYOND, never)
})

test('a recipient beyond ASCII goes to a server that takes it, and is the end with another', async () => {
  const to = ['爱丽丝@example.com']
  const takes = await scripted([
    ...hello('SMTPUTF8'),
    { expect: /^MAIL FROM:<me@example.org> SMTPUTF8/ },
    ...afterMail.slice(0, 1),
    { expect: wire('RCPT TO:<爱丽丝@example.com>') },
    ...afterMail.slice(2),
  ])
  const text = 'Return-Path: <me@example.org>\r\n\r\nx\r\n'
  await destination(takes.port, { to }).deliver(attempt('1', to[0]), message(text), never)
  const not = await scripted([...hello(), { ignore: true }])
  const error = await failure(destination(not.port, { to }).deliver(attempt('1', to[0]), message(text), never))
  expect(outcome(error)).toBe('RCPT temporary recipient 73')
  expect(error.message).toContain('does not offer SMTPUTF8')
})

test('header fields in UTF-8 alone declare nothing: the next hop might bounce what everybody takes', async () => {
  const server = await scripted([
    ...hello('SMTPUTF8', '8BITMIME'),
    { expect: /^MAIL FROM:<me@example.org> BODY=8BITMIME/ },
    ...afterMail,
  ])
  const text = Buffer.from('Return-Path: <me@example.org>\r\nSubject: Grüße\r\n\r\nx\r\n')
  await destination(server.port).deliver(attempt(), message(text), never)
})
