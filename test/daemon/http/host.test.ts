import { describe, expect, test } from 'vitest'
import { isMeant } from '../../../src/daemon/http/host.ts'

describe('a request is meant for us', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1:9464'],
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1', 'localhost:1'],
    ['127.0.0.1', 'LOCALHOST'],
    ['::1', '[::1]:9464'],
    ['::1', '[0:0:0:0:0:0:0:1]'],
    ['::1', 'localhost'],
    ['192.0.2.7', '192.0.2.7:9464'],
    ['192.0.2.7', 'mail.example.org:9464'],
    ['0.0.0.0', '192.0.2.7:80'],
    ['0.0.0.0', 'localhost'],
    ['::', '[2001:db8::1]'],
    ['::', '192.0.2.7'],
    ['0.0.0.0', 'mail.example.org'],
  ])('listening on %s, asked as %s', (host, field) => {
    expect(isMeant(field, { host, hosts: ['mail.example.org'] })).toBe(true)
  })
})

describe('a request is not meant for us', () => {
  test.each([
    ['127.0.0.1', 'mallory.example:9464'],
    ['127.0.0.1', 'localhost.mallory.example'],
    ['127.0.0.1', 'mail.example.org.mallory.example'],
    ['127.0.0.1', '127.0.0.1.mallory.example'],
    ['127.0.0.1', '127.0.0.2'],
    ['192.0.2.7', 'localhost'],
    ['0.0.0.0', 'mallory.example'],
    ['0.0.0.0', '[mallory.example]'],
    ['127.0.0.1', ''],
    ['127.0.0.1', 'user@127.0.0.1'],
    ['127.0.0.1', '127.0.0.1 127.0.0.1'],
    ['127.0.0.1', '127.0.0.1:9464/x'],
    ['127.0.0.1', undefined],
  ])('listening on %s, asked as %s', (host, field) => {
    expect(isMeant(field, { host, hosts: ['mail.example.org'] })).toBe(false)
  })
})
