// For whom a message is, in a mailbox that collects the mail of a whole domain.
import { describe, expect, test } from 'vitest'
import { onlyAddress, mailboxReader } from '../../../src/poll/route/mailbox.ts'
import { Scene as ConfigScene } from '../../config/scene.ts'

describe('a field', () => {
  test.each([
    ['anna@example.org', 'anna@example.org'],
    ['<anna@example.org>', 'anna@example.org'],
    ['  <anna@EXAMPLE.org> ', 'anna@example.org'],
    ['Anna@example.org', 'Anna@example.org'],
    ['Anna Example <anna@example.org>', 'anna@example.org'],
    ['"Example, Anna" <anna@example.org>', 'anna@example.org'],
    ['anna+tag@example.org', 'anna+tag@example.org'],
    ['anna@b\u00fccher.example', 'anna@xn--bcher-kva.example'],
    ['', null],
    ['anna', null],
    ['anna@example.org, bob@example.org', null],
    ['anna@example.org bob@example.org', null],
    ['<anna@example.org> <bob@example.org>', null],
    ['<anna@example.org>, <bob@example.org>', null],
    ['friends: anna@example.org;', null],
    ['"bob@example.org" anna@example.org', null],
    ['"a b"@example.org', null],
    ['anna@example.org\r\nX: y', null],
    ['../../etc/passwd', null],
    ['@example.org', null],
    ['=?utf-8?q?Anna?= <anna@example.org>', 'anna@example.org'],
    ['=?utf-8?q?anna=40example.org?=', null],
    ['Anna <anna@example.org> (at home)', null],
    ['anna@example.org (Anna)', null],
    ['(bob@example.org) anna@example.org', null],
    ['<@relay.example:anna@example.org>', null],
    ['undisclosed-recipients:;', null],
    ['anna@example.org;', null],
    ['<anna@example.org', null],
    ['anna@example.org>', null],
    ['<<anna@example.org>>', null],
    ['<>', null],
    ['anna@example.org.', null],
    ['anna@[192.0.2.1]', 'anna@[192.0.2.1]'],
    ['mailto:anna@example.org', null],
    ['anna@\u0435xample.org', 'anna@xn--xample-2of.org'],
    ['anna@EXAMPLE.ORG\t', 'anna@example.org'],
    ['anna\u0000@example.org', null],
    [`${'a'.repeat(2000)}@example.org`, null],
  ])('%j holds exactly %s', (value, address) => {
    expect(onlyAddress(Buffer.from(value).toString('latin1'))).toBe(address)
  })
})

test('counts only in the domains, the first one of its name, and never from another field', async () => {
  await using scene = await ConfigScene.create()
  const account = await scene.account(
    'recipient: { header: X-Original-To, domains: [Example.org, example.net], otherwise: post@example.org }',
  )
  const read = mailboxReader(account)
  const of = (...lines: string[]): string => read?.(Buffer.from(`${lines.join('\r\n')}\r\n`)) ?? ''
  expect(of('X-Original-To: anna@example.org')).toBe('anna@example.org')
  expect(of('x-original-to: <anna@Example.NET>')).toBe('anna@example.net')
  expect(of('X-Original-To: anna@example.org', 'X-Original-To: bob@example.org')).toBe('anna@example.org')
  for (const line of [
    'X-Original-To: anna@example.com',
    'X-Original-To: anna@sub.example.org',
    'X-Original-To: anna@example.org.evil.example',
    'X-Original-To: anna@example.org, bob@example.org',
    'X-Original-To:',
    'To: anna@example.org',
    'X-Original-To-2: anna@example.org',
  ]) {
    expect(of(line), line).toBe('post@example.org')
  }
})

test('is read from no message where one address has all the mail, or nobody asks', async () => {
  await using scene = await ConfigScene.create()
  expect(mailboxReader(await scene.account(''))).toBeNull()
  const account = await scene.account('recipient: anna@kunde.example')
  expect(account.recipient).toEqual({ kind: 'address', address: 'anna@kunde.example' })
  expect(mailboxReader(account)).toBeNull()
})
